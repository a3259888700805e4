#include "ichdet/bundle/spec.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include "ichdet/core/error.hpp"

namespace ichdet {
namespace {

using nlohmann::json;

/// A value and where it stands, so that every refusal can say so.
class Node {
 public:
  Node(const json& value, std::string subject, std::string path)
      : value_(&value), subject_(std::move(subject)), path_(std::move(path)) {}

  Node at(const std::string& key) const {
    expect(value_->is_object(), "an object");
    if (!value_->contains(key)) throw Error(ErrorCode::weights, subject_ + ": " + path_ + "/" + key + ": is missing");
    return {(*value_)[key], subject_, path_ + "/" + key};
  }
  std::optional<Node> find(const std::string& key) const {
    expect(value_->is_object(), "an object");
    if (!value_->contains(key) || (*value_)[key].is_null()) return std::nullopt;
    return at(key);
  }
  Node at(std::size_t index) const { return {(*value_)[index], subject_, path_ + "/" + std::to_string(index)}; }

  void only(const std::set<std::string>& keys) const {
    expect(value_->is_object(), "an object");
    for (const auto& [key, unused] : value_->items()) {
      if (!keys.contains(key)) throw Error(ErrorCode::weights, subject_ + ": " + path_ + "/" + key + ": unknown key");
    }
  }
  std::string text(bool may_be_empty = false) const {
    expect(value_->is_string() && (may_be_empty || !value_->get_ref<const std::string&>().empty()), "a text");
    return value_->get<std::string>();
  }
  double number() const {
    expect(value_->is_number(), "a number");
    return value_->get<double>();
  }
  std::int64_t integer(std::int64_t low, std::int64_t high) const {
    expect(value_->is_number_integer() && value_->get<std::int64_t>() >= low && value_->get<std::int64_t>() <= high,
           "an integer from " + std::to_string(low) + " to " + std::to_string(high));
    return value_->get<std::int64_t>();
  }
  bool truth() const {
    expect(value_->is_boolean(), "true or false");
    return value_->get<bool>();
  }
  std::vector<Node> list(std::size_t least) const {
    expect(value_->is_array() && value_->size() >= least, "a list of at least " + std::to_string(least));
    std::vector<Node> nodes;
    for (std::size_t i = 0; i < value_->size(); ++i) nodes.push_back(at(i));
    return nodes;
  }
  std::array<Node, 3> triple() const {
    expect(value_->is_array() && value_->size() == 3, "three values");
    return {at(0), at(1), at(2)};
  }
  std::string file_name() const {
    const auto name = text();
    expect(std::filesystem::path(name).filename() == name && name != "." && name != "..",
           "a file name without folders");
    return name;
  }
  std::string hash() const {
    const auto digits = text();
    expect(digits.size() == 64 && digits.find_first_not_of("0123456789abcdef") == std::string::npos,
           "64 lower-case hexadecimal digits");
    return digits;
  }
  void expect(bool ok, const std::string& expected) const {
    if (ok) return;
    auto found = value_->dump(-1, ' ', true, json::error_handler_t::replace);
    if (found.size() > 80) found = found.substr(0, 77) + "...";
    throw Error::mismatch(ErrorCode::weights, subject_ + ": " + (path_.empty() ? "/" : path_), expected, found);
  }
  const json& value() const { return *value_; }
  template <class Use>
  void each(Use&& use) const {
    expect(value_->is_object(), "an object");
    for (const auto& [key, unused] : value_->items()) use(key, at(key));
  }

 private:
  const json* value_;
  std::string subject_, path_;
};

PatchSpec parse_patch(const Node& node) {
  node.only({"input", "output", "step", "padding"});
  PatchSpec patch;
  const auto input = node.at("input").triple(), output = node.at("output").triple();
  for (std::size_t axis = 0; axis < 3; ++axis) {
    patch.input[axis] = input[axis].integer(1, 4096);
    patch.output[axis] = output[axis].integer(1, patch.input[axis]);
  }
  patch.step = node.at("step").integer(0, 4096);
  for (std::size_t axis = 0; patch.step > 0 && axis < 3; ++axis) {
    output[axis].expect(patch.output[axis] % patch.step == 0, "a multiple of step");
  }
  patch.padding = node.at("padding").text();
  node.at("padding").expect(patch.padding == "edge", "\"edge\"");
  return patch;
}

std::vector<ChannelSpec> parse_channels(const Node& node) {
  std::vector<ChannelSpec> channels;
  for (const auto& entry : node.list(1)) {
    entry.only({"clip_hu", "scale_to"});
    const auto clip = entry.at("clip_hu").list(2), scale = entry.at("scale_to").list(2);
    channels.push_back({clip[0].number(), clip[1].number(), scale[0].number(), scale[1].number()});
    entry.at("clip_hu").expect(clip.size() == 2 && channels.back().low_hu < channels.back().high_hu, "[low, high]");
    entry.at("scale_to").expect(scale.size() == 2 && channels.back().to_low < channels.back().to_high, "[low, high]");
  }
  return channels;
}

std::vector<ClassSpec> parse_classes(const Node& node) {
  std::vector<ClassSpec> classes;
  std::set<std::string> names;
  node.expect(node.list(2).size() <= 256, "a list of at most 256: a label is one byte");
  for (const auto& entry : node.list(2)) {
    entry.only({"name", "blood"});
    classes.push_back({entry.at("name").text(), entry.at("blood").truth()});
    entry.at("name").expect(names.insert(classes.back().name).second, "a name not given before");
  }
  node.at(0).at("blood").expect(!classes.front().blood, "false: class 0 is background");
  return classes;
}

ProvenanceSpec parse_provenance(const Node& node) {
  node.only({"source", "authors", "citation", "converted_by", "files"});
  ProvenanceSpec provenance{node.at("source").text(),
                            node.at("authors").text(),
                            node.at("citation").text(),
                            node.at("converted_by").text(),
                            {}};
  node.at("files").each([&](const std::string& key, const Node& hash) { provenance.files[key] = hash.hash(); });
  return provenance;
}

}  // namespace

ModelSpec parse_spec(const json& value, const std::string& subject) {
  const Node root(value, subject, "");
  root.at("schema").expect(root.at("schema").value() == ModelSpec::schema,
                           std::to_string(ModelSpec::schema) + ", the schema that this version of ichdet reads");
  root.only({"schema", "name", "version", "architecture", "input", "classes", "patch", "thresholds", "calibration",
             "provenance", "licence", "not_for_clinical_use", "training_data", "metrics", "weights"});
  ModelSpec spec;
  spec.name = root.at("name").text();
  spec.version = root.at("version").text();

  const auto architecture = root.at("architecture");
  architecture.only({"name", "options"});
  spec.architecture = architecture.at("name").text();
  spec.options = architecture.at("options").value();
  architecture.at("options").expect(spec.options.is_object(), "an object");

  const auto input = root.at("input");
  input.only({"spacing_mm", "orientation", "channels"});
  const auto spacing = input.at("spacing_mm").triple();
  for (std::size_t axis = 0; axis < 3; ++axis) {
    spec.spacing_mm[axis] = spacing[axis].number();
    spacing[axis].expect(spec.spacing_mm[axis] > 0 && spec.spacing_mm[axis] < 1000, "a spacing above 0");
  }
  spec.orientation = input.at("orientation").text();
  input.at("orientation").expect(spec.orientation == "LPS", "\"LPS\"");
  spec.channels = parse_channels(input.at("channels"));
  spec.classes = parse_classes(root.at("classes"));
  spec.patch = parse_patch(root.at("patch"));
  if (const auto thresholds = root.find("thresholds")) {
    thresholds->each([&](const std::string& key, const Node& entry) {
      spec.thresholds[key] = entry.number();
      entry.expect(entry.number() >= 0 && entry.number() <= 1, "a probability");
    });
  }
  if (const auto calibration = root.find("calibration")) spec.calibration = calibration->value();
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
