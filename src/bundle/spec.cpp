#include "ichdet/bundle/spec.hpp"

#include "class_list.hpp"
#include "classifier_spec.hpp"
#include "ichdet/bundle/calibration.hpp"
#include "json_node.hpp"
#include "segmenter_spec.hpp"

namespace ichdet {
namespace {

using bundle::Node;
using nlohmann::json;

ProvenanceSpec parse_provenance(const Node& node) {
  node.only({"source", "authors", "citation", "converted_by", "files", "parent", "split_sha256"});
  ProvenanceSpec provenance;
  provenance.source = node.at("source").text();
  provenance.authors = node.at("authors").text();
  provenance.citation = node.at("citation").text();
  provenance.converted_by = node.at("converted_by").text();
  if (const auto parent = node.find("parent")) {
    parent->only({"name", "version", "sha256"});
    provenance.parent = {parent->at("name").text(), parent->at("version").text(), parent->at("sha256").hash()};
  }
  if (const auto split = node.find("split_sha256")) provenance.split_sha256 = split->hash();
  node.at("files").each([&](const std::string& key, const Node& hash) { provenance.files[key] = hash.hash(); });
  return provenance;
}

/// What takes such bundles.
std::string command_for(Task task) {
  switch (task) {
    case Task::segmentation: return " (`ichdet detect`)";
    case Task::slice_classification:
    case Task::exam_classification: return " (`ichdet classify`)";
    case Task::slice_segmentation:
    case Task::map_weights: return " (SliceSegmenter)";
    case Task::brain_extraction: return " (`ichdet strip`)";
  }
  return {};
}

/// Its grid and values are those of brainchop, and the bundle says so.
void parse_brain_extraction(const Node& root, ModelSpec& spec) {
  const auto input = root.at("input");
  input.only({"spacing_mm", "orientation", "size", "values"});
  const auto expect = [&](const char* key, const json& only) {
    input.at(key).expect(input.at(key).value() == only, only.dump());
  };
  expect("spacing_mm", {1, 1, 1});
  expect("orientation", "LIA");
  expect("size", {256, 256, 256});
  expect("values", "brainchop");
  spec.spacing_mm = {1, 1, 1};
  spec.channels.resize(1);
}

}  // namespace

std::string to_string(Task task) {
  switch (task) {
    case Task::segmentation: return "segmentation";
    case Task::slice_classification: return "slice classification";
    case Task::exam_classification: return "exam classification";
    case Task::slice_segmentation: return "slice segmentation";
    case Task::map_weights: return "map weights";
    case Task::brain_extraction: return "brain extraction";
  }
  return {};
}

void require_task(const ModelSpec& model, Task task) {
  if (model.task == task) return;
  throw Error::mismatch(ErrorCode::options, model.name, "a bundle for " + to_string(task),
                        "one for " + to_string(model.task) + command_for(model.task));
}

ModelSpec parse_spec(const json& value, const std::string& subject) {
  const Node root(value, subject, "");
  root.at("schema").expect(root.at("schema").value() == ModelSpec::schema,
                           std::to_string(ModelSpec::schema) + ", the schema that this version of ichdet reads");
  ModelSpec spec;
  if (const auto task = root.find("task")) {
    spec.task = task->choice<Task>({{to_string(Task::segmentation), Task::segmentation},
                                    {to_string(Task::slice_classification), Task::slice_classification},
                                    {to_string(Task::exam_classification), Task::exam_classification},
                                    {to_string(Task::slice_segmentation), Task::slice_segmentation},
                                    {to_string(Task::map_weights), Task::map_weights},
                                    {to_string(Task::brain_extraction), Task::brain_extraction}});
  }
  const bool segmenter = spec.task == Task::segmentation, weigher = spec.task == Task::map_weights;
  std::set<std::string> keys{
      "schema",  "name",       "version",     "task",       "untrained", "architecture",         "input",
      "classes", "thresholds", "calibration", "provenance", "licence",   "not_for_clinical_use", "training_data",
      "metrics", "weights"};
  if (segmenter) {
    keys.insert({"patch", "procedure"});
  } else if (weigher) {
    keys.erase("input");
  } else if (spec.task != Task::brain_extraction) {
    keys.insert({"output", "decision"});
  }
  root.only(keys);
  spec.name = root.at("name").text();
  spec.version = root.at("version").text();
  if (const auto untrained = root.find("untrained")) spec.untrained = untrained->truth();

  const auto architecture = root.at("architecture");
  architecture.only({"name", "options"});
  spec.architecture = architecture.at("name").text();
  spec.options = architecture.at("options").value();
  architecture.at("options").expect(spec.options.is_object(), "an object");

  spec.classes = bundle::parse_classes(root.at("classes"));
  if (!weigher) spec.orientation = root.at("input").at("orientation").text();
  if (segmenter) {
    bundle::parse_segmenter(root, spec);
  } else if (weigher) {
    spec.channels.resize(spec.classes.size());  // it reads a map of each network that it weighs
  } else if (spec.task == Task::brain_extraction) {
    parse_brain_extraction(root, spec);
  } else {
    bundle::parse_classifier(root, spec);
  }
  if (const auto thresholds = root.find("thresholds")) {
    thresholds->each([&](const std::string& key, const Node& entry) {
      spec.thresholds[key] = entry.number();
      entry.expect(entry.number() >= 0 && entry.number() <= 1, "a probability");
    });
  }
  if (const auto found = root.find("calibration")) spec.calibration = parse_calibration(found->value(), subject);
  spec.provenance = parse_provenance(root.at("provenance"));
  const auto licence = root.at("licence");
  licence.only({"spdx", "file"});
  spec.licence = licence.at("spdx").text();
  spec.licence_file = licence.at("file").file_name();
  spec.not_for_clinical_use = root.at("not_for_clinical_use").truth();
  spec.training_data = root.at("training_data").text(true);
  spec.metrics = root.at("metrics").value();
  root.at("metrics").expect(spec.metrics.is_object(), "an object");
  const auto weights = root.at("weights");
  weights.only({"file", "sha256"});
  spec.weights_file = weights.at("file").file_name();
  spec.weights_sha256 = weights.at("sha256").hash();
  return spec;
}

}  // namespace ichdet
