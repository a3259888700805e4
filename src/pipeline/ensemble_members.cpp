#include "ensemble_members.hpp"

#include <algorithm>

#include "ichdet/core/error.hpp"

namespace ichdet::pipeline {
namespace {

std::vector<Bundle> open_bundles(const EnsembleMember& member) {
  std::vector<Bundle> bundles;
  for (const auto& folder : member.folders) bundles.push_back(open_bundle(folder));
  if (bundles.empty()) throw Error(ErrorCode::options, "member " + member.bundle + ": no bundle was found for it");
  const auto task = bundles.front().spec.task;
  if (task == Task::exam_classification || (member.kind && *member.kind != task)) {
    throw Error::mismatch(ErrorCode::options, "member " + member.bundle,
                          "a bundle for " + (member.kind ? to_string(*member.kind)
                                                         : to_string(Task::segmentation) + " or " +
                                                               to_string(Task::slice_classification)),
                          "one for " + to_string(task));
  }
  return bundles;
}

std::vector<std::string> names_of(const std::vector<ClassSpec>& classes) {
  std::vector<std::string> names;
  for (const auto& c : classes) names.push_back(c.name);
  return names;
}

void check(const EnsembleSpec& spec, const Members& members) {
  if (members.voices.empty()) {
    throw Error(ErrorCode::options, "ensemble " + spec.name + ": expected at least one segmenter");
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

Members open_members(const EnsembleSpec& spec, const SegmenterOptions& segmenter, const ClassifierOptions& classifier) {
  Members members;
  members.classes = spec.classes;
  for (const auto& member : spec.members) {
    const auto bundles = open_bundles(member);
    if (bundles.front().spec.task == Task::slice_classification) {
      members.judges.push_back({member.bundle, member.weight, SliceClassifier(bundles, classifier)});
      continue;
    }
    Segmenter loaded(bundles, segmenter);
    if (members.classes.empty()) members.classes = loaded.spec().classes;
    members.names = names_of(members.classes);
    auto mapping = ensemble::map_classes(member.bundle, names_of(loaded.spec().classes), members.names, member.classes);
    members.voices.push_back({member.bundle, member.weight, std::move(loaded), std::move(mapping)});
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
  if (!members.judges.empty()) text += ", times the slice probability of classifiers, " + list(members.judges);
  return text + ".";
}

}  // namespace ichdet::pipeline
