#include "ensemble_members.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "ichdet/core/error.hpp"
#include "ichdet/preprocess/resample.hpp"

namespace ichdet::pipeline {
namespace {

std::vector<Member> open_member(const EnsembleMember& member, const OwnMembers& own) {
  const auto given = own.find(member.bundle);
  auto networks = given != own.end() ? given->second : members_of(open_bundles(member.folders));
  if (networks.empty()) throw Error(ErrorCode::options, "member " + member.bundle + ": no bundle was found for it");
  const auto task = networks.front().spec.task;
  constexpr std::array kinds{Task::segmentation, Task::slice_segmentation, Task::slice_classification};
  if (std::ranges::find(kinds, task) == kinds.end() || (member.kind && *member.kind != task)) {
    throw Error::mismatch(ErrorCode::options, "member " + member.bundle,
                          "a bundle for " + (member.kind ? to_string(*member.kind)
                                                         : to_string(kinds[0]) + ", " + to_string(kinds[1]) + " or " +
                                                               to_string(kinds[2])),
                          "one for " + to_string(task));
  }
  return networks;
}

std::vector<std::string> names_of(const std::vector<ClassSpec>& classes) {
  std::vector<std::string> names;
  for (const auto& c : classes) names.push_back(c.name);
  return names;
}

struct Loaded {
  std::variant<Segmenter, SliceSegmenter> segmenter;
  std::vector<ClassSpec> classes;
};

Loaded of_volumes(const std::vector<Member>& networks, const SegmenterOptions& options) {
  Segmenter loaded(networks, options);
  const auto classes = loaded.spec().classes;
  return {std::move(loaded), classes};
}

Loaded of_slices(const std::vector<Member>& networks, const ClassifierOptions& options) {
  SliceSegmenterOptions own;
  own.network = options.network;
  own.batch = options.batch;
  own.skip_empty = options.skip_empty;
  SliceSegmenter loaded(networks, std::nullopt, own);
  const std::vector<ClassSpec> classes{{"background", false}, {loaded.blood_name(), true}};
  return {std::move(loaded), classes};
}

/// What a spec that no file gave may have wrong, too.
void check(const EnsembleSpec& spec) {
  const auto subject = "ensemble " + spec.name + ": ";
  for (const auto& one : {spec.calibration.study, spec.calibration.slice, spec.calibration.lesion}) {
    if (one) ensemble::check(*one);
  }
  for (const auto& [key, threshold] : spec.thresholds) {
    if (key == "study" && threshold > 0 && threshold < 1) continue;
    throw Error::mismatch(ErrorCode::options, subject + "thresholds", "study, between 0 and 1",
                          key + ", " + std::to_string(threshold));
  }
  if (spec.slices) ensemble::check(*spec.slices);
  if (!std::isfinite(spec.intercept)) {
    throw Error::mismatch(ErrorCode::options, subject + "intercept", "a finite number", std::to_string(spec.intercept));
  }
}

void check(const EnsembleSpec& spec, const EnsembleMember& member, Task task) {
  const auto refuse = [&](const std::string& what, const std::string& expected, const std::string& found) {
    throw Error::mismatch(ErrorCode::options, "member " + member.bundle + ": " + what, expected, found);
  };
  const double weight = member.weight;
  const bool classifies = task == Task::slice_classification;
  if (!classifies && (spec.staple || spec.rule == ensemble::CombineRule::any) && weight != 1) {
    refuse("weight", "none, as union and STAPLE do not use it", std::to_string(weight));
  }
  const bool of_logits = !classifies && !spec.staple && spec.rule == ensemble::CombineRule::stacking;
  if (!(std::abs(weight) <= 1e6 && (of_logits || weight >= 1e-6))) {
    refuse("weight", of_logits ? "a number from -1e6 to 1e6" : "a number from 1e-6 to 1e6", std::to_string(weight));
  }
  if (classifies && !member.classes.empty()) {
    refuse("classes", "none of a slice classifier", member.classes.begin()->first);
  }
}

void check_classes(const EnsembleSpec& spec, const std::vector<ClassSpec>& classes) {
  const auto blood = std::ranges::count_if(classes, &ClassSpec::blood);
  if (blood == 0 || classes.front().blood) {
    throw Error(ErrorCode::options,
                "ensemble " + spec.name + ": classes: expected one or more that are blood, none of them background");
  }
  if (spec.staple || spec.rule != ensemble::CombineRule::any) return;
  const auto other = std::find_if(classes.begin() + 1, classes.end(), [](const auto& c) { return !c.blood; });
  if (other == classes.end()) return;
  throw Error::mismatch(ErrorCode::options, "ensemble " + spec.name + ": classes",
                        "none but background and blood under union: it would win over the blood that another member "
                        "sees",
                        other->name);
}

void check(const EnsembleSpec& spec, const Members& members) {
  if (members.voices.empty()) {
    throw Error(ErrorCode::options, "ensemble " + spec.name + ": expected at least one segmenter");
  }
  check_classes(spec, members.classes);
  if (spec.slices && members.judges.empty() && spec.slices->weights[2] != 0) {
    throw Error(
        ErrorCode::options,
        "ensemble " + spec.name + ": slices: weights: classifier: expected 0, as no member is a slice classifier");
  }
  for (std::size_t c = 1; c < members.names.size(); ++c) {
    const auto& name = members.names[c];
    const auto answers = [&](const Voice& voice) { return voice.mapping.answers[c]; };
    if (std::ranges::none_of(members.voices, answers)) {
      throw Error(ErrorCode::options, "ensemble " + spec.name + ": class " + name + ": no member answers it");
    }
    const auto silent = std::ranges::find_if_not(members.voices, answers);
    if (spec.staple && silent != members.voices.end()) {
      throw Error(ErrorCode::options,
                  "member " + silent->name + ": class " + name + ": STAPLE asks every member about every class");
    }
  }
}

}  // namespace

Array4<float> at_slices(const Answer& answer, const Voice& voice, const Slab& slab, int threads) {
  if (const auto* map = std::get_if<ProbabilityMap>(&answer)) {
    return resample_to(*map, slab.geometry, {.threads = threads});
  }
  const auto& blood = std::get<Array3<float>>(answer);
  const auto [count, rows, columns] = slab.geometry.shape();
  auto values = Array4<float>::uninitialized({2, count, rows, columns});
  const auto* from = blood.plane(slab.first).data();
  const auto pixels = count * rows * columns;
  for (std::int64_t i = 0; i < pixels; ++i) {
    values.data()[i] = 1 - from[i];
    values.data()[pixels + i] = from[i];
  }
  const auto& spec_names = std::get<SliceSegmenter>(voice.segmenter).blood_name();
  const ProbabilityMap map(std::move(values), {"background", spec_names}, slab.geometry.nominal());
  return ensemble::to_classes(map, voice.mapping).values;
}

Members open_members(const EnsembleSpec& spec, SegmenterOptions segmenter, ClassifierOptions classifier,
                     const OwnMembers& own) {
  check(spec);
  for (auto* network : {&segmenter.network, &classifier.network}) {
    if (!network->workspace) network->workspace = segmenter.network.workspace;
    if (!network->workspace) network->workspace = nn::new_workspace();
  }
  for (const auto& [name, networks] : own) {
    if (std::ranges::find(spec.members, name, &EnsembleMember::bundle) != spec.members.end()) continue;
    throw Error(ErrorCode::options, "ensemble " + spec.name + ": no member is named " + name);
  }
  Members members;
  members.classes = spec.classes;
  members.skip_empty = classifier.skip_empty;
  for (const auto& member : spec.members) {
    const auto networks = open_member(member, own);
    const auto task = networks.front().spec.task;
    check(spec, member, task);
    if (task == Task::slice_classification) {
      members.judges.push_back({member.bundle, member.weight, SliceClassifier(networks, classifier)});
      continue;
    }
    auto [loaded, classes] =
        task == Task::segmentation ? of_volumes(networks, segmenter) : of_slices(networks, classifier);
    if (members.classes.empty()) members.classes = classes;
    members.names = names_of(members.classes);
    auto mapping = ensemble::map_classes(member.bundle, names_of(classes), members.names, member.classes);
    std::vector<ModelSpec> models;
    for (const auto& network : networks) models.push_back(network.spec);
    members.voices.push_back({member.bundle, member.weight, std::move(loaded), std::move(mapping), std::move(models)});
  }
  check(spec, members);
  return members;
}

std::string in_words(const EnsembleSpec& spec, const Members& members) {
  const auto list = [](const auto& all) {
    std::string text;
    for (const auto& member : all) text += (text.empty() ? "" : ", ") + member.name;
    return std::to_string(all.size()) + " (" + text + ")";
  };
  std::string text = "The ensemble " + spec.name + ": " + (spec.staple ? "STAPLE" : ensemble::to_string(spec.rule)) +
                     " of segmenters, " + list(members.voices);
  if (!spec.slices) {
    if (!members.judges.empty()) text += ", times the slice probability of classifiers, " + list(members.judges);
    return text + ".";
  }
  if (!members.judges.empty()) text += "; classifiers, " + list(members.judges);
  char fade[80] = "";
  if (spec.slices->fade_below > 0) {
    std::snprintf(fade, sizeof fade, "; outlines fade on slices less likely than %g", spec.slices->fade_below);
  }
  return text + "; slices by a logistic of what they say" + fade + ".";
}

}  // namespace ichdet::pipeline
