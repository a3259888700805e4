#include "ichdet/bundle/ensemble_spec.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>

#include "class_list.hpp"
#include "ichdet/bundle/cache.hpp"
#include "ichdet/bundle/calibration.hpp"
#include "json_node.hpp"
#include "yaml.hpp"

namespace ichdet {
namespace {

namespace fs = std::filesystem;
using bundle::Node;
using ensemble::CombineRule;

constexpr std::uintmax_t longest_file = 1u << 20;

/// Of an ensemble, which decides by them.
std::vector<ClassSpec> parse_ensemble_classes(const Node& node) {
  auto classes = bundle::parse_classes(node);
  node.at(0).at("blood").expect(!classes.front().blood, "false: class 0 is background");
  node.expect(std::ranges::any_of(classes, &ClassSpec::blood), "a class with blood: true");
  return classes;
}

EnsembleMember parse_member(const Node& node, CombineRule rule, bool staple) {
  node.only({"bundle", "kind", "weight", "classes"});
  EnsembleMember member;
  member.bundle = node.at("bundle").text();
  if (const auto kind = node.find("kind")) {
    member.kind = kind->choice<Task>({{to_string(Task::segmentation), Task::segmentation},
                                      {to_string(Task::slice_segmentation), Task::slice_segmentation},
                                      {to_string(Task::slice_classification), Task::slice_classification}});
  }
  if (const auto weight = node.find("weight")) {
    member.weight = weight->number();
    const bool judges = member.kind == Task::slice_classification;
    weight->expect(judges || !(staple || rule == CombineRule::any), "none with union or staple, which do not use it");
    const bool stacking = rule == CombineRule::stacking && !judges;
    weight->expect(std::abs(member.weight) <= 1e6 && (stacking || member.weight >= 1e-6),
                   stacking ? "a number from -1e6 to 1e6" : "a number from 1e-6 to 1e6");
  }
  if (const auto classes = node.find("classes")) {
    classes->expect(member.kind != Task::slice_classification, "none of a slice classifier");
    classes->each([&](const std::string& name, const Node& becomes) { member.classes[name] = becomes.text(); });
  }
  return member;
}

ensemble::SliceRule parse_slice_rule(const Node& node) {
  node.only({"intercept", "weights", "fade_below", "fitted_on"});
  ensemble::SliceRule rule;
  rule.intercept = node.at("intercept").number();
  const auto weights = node.at("weights");
  const auto& names = ensemble::slice_evidence_names;
  weights.only({names.begin(), names.end()});
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (const auto weight = weights.find(std::string(names[i]))) rule.weights[i] = weight->number();
  }
  if (const auto fade = node.find("fade_below")) rule.fade_below = fade->number();
  if (const auto fitted = node.find("fitted_on")) rule.fitted_on = fitted->text();
  try {
    ensemble::check(rule);
  } catch (const Error& e) {
    node.expect(false, e.what());
  }
  return rule;
}

std::size_t longest_part(const fs::path& path) {
  std::size_t longest = 0;
  for (const auto& part : path) longest = std::max(longest, part.native().size());
  return longest;
}

}  // namespace

EnsembleSpec parse_ensemble(std::string_view yaml, const std::string& subject) {
  const auto document = bundle::parse_yaml(yaml, subject);
  const Node root(document, subject, "");
  root.at("ensemble").expect(root.at("ensemble").value() == 1, "1, the version of ensembles that ichdet reads");
  std::set<std::string> keys{"ensemble", "name",        "classes",    "rule",  "members",
                             "slices",   "calibration", "thresholds", "review"};
  EnsembleSpec spec;
  spec.name = root.at("name").file_name();
  const auto rule = root.at("rule").choice<std::optional<CombineRule>>({{"mean", CombineRule::mean},
                                                                        {"logits", CombineRule::logits},
                                                                        {"majority", CombineRule::majority},
                                                                        {"union", CombineRule::any},
                                                                        {"stacking", CombineRule::stacking},
                                                                        {"staple", std::nullopt}});
  spec.staple = !rule;
  spec.rule = rule.value_or(CombineRule::majority);
  if (spec.rule == CombineRule::stacking) {
    keys.insert("intercept");
    spec.intercept = root.at("intercept").number();
  }
  root.only(keys);
  if (const auto classes = root.find("classes")) spec.classes = parse_ensemble_classes(*classes);
  for (const auto& member : root.at("members").list(1)) {
    spec.members.push_back(parse_member(member, spec.rule, spec.staple));
  }
  if (const auto slices = root.find("slices")) spec.slices = parse_slice_rule(*slices);
  if (const auto node = root.find("calibration")) spec.calibration = parse_calibration(node->value(), subject);
  if (const auto thresholds = root.find("thresholds")) {
    thresholds->only({"study"});
    if (const auto study = thresholds->find("study")) spec.thresholds["study"] = study->number_between(0, 1);
  }
  if (const auto review = root.find("review")) {
    const auto range = review->range();
    spec.review = {range[0], range[1]};
    review->expect(range[0] >= 0 && range[1] <= 1, "two probabilities");
  }
  return spec;
}

nlohmann::json to_json(const ensemble::SliceRule& rule) {
  nlohmann::json weights = nlohmann::json::object();
  for (std::size_t i = 0; i < rule.weights.size(); ++i) {
    weights[std::string(ensemble::slice_evidence_names[i])] = rule.weights[i];
  }
  nlohmann::json json{{"intercept", rule.intercept}, {"weights", weights}, {"fade_below", rule.fade_below}};
  if (!rule.fitted_on.empty()) json["fitted_on"] = rule.fitted_on;
  return json;
}

EnsembleSpec read_ensemble(const fs::path& file, const std::vector<std::string>& own) {
  std::error_code failed;
  std::ifstream in(file, std::ios::binary);
  if (!fs::is_regular_file(file, failed) || !in || fs::file_size(file, failed) > longest_file) {
    throw Error(ErrorCode::weights, file.string() + ": expected an ensemble's YAML file of at most 1 MiB");
  }
  auto spec = parse_ensemble(std::string(std::istreambuf_iterator<char>(in), {}), file.string());
  find_members(spec, file.parent_path(), file.string(), own);
  return spec;
}

void find_members(EnsembleSpec& spec, const fs::path& folder, const std::string& subject,
                  const std::vector<std::string>& own) {
  std::error_code failed;
  for (std::size_t i = 0; i < spec.members.size(); ++i) {
    auto& member = spec.members[i];
    if (!member.folders.empty() || std::ranges::find(own, member.bundle) != own.end()) continue;
    const auto refuse = [&](const std::string& why) {
      throw Error(ErrorCode::weights, subject + ": /members/" + std::to_string(i) + "/bundle: " + why);
    };
    if (member.bundle.size() > 4096 || longest_part(member.bundle) > 255) refuse("expected a name or a folder");
    if (const auto beside = folder / member.bundle; fs::exists(beside / "bundle.json", failed)) {
      member.folders = {beside};
      continue;
    }
    try {
      member.folders = resolve_bundles(member.bundle);
    } catch (const Error& e) {
      refuse(e.what());
    }
  }
}

}  // namespace ichdet
