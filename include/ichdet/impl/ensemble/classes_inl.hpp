#pragma once

#include <algorithm>

#include "ichdet/core/error.hpp"
#include "ichdet/ensemble/classes.hpp"

namespace ichdet::ensemble {

namespace detail {

ICHDET_INLINE std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace detail

ICHDET_INLINE ClassMapping map_classes(const std::string& member, const std::vector<std::string>& member_classes,
                                       const std::vector<std::string>& ensemble_classes,
                                       const std::map<std::string, std::string>& renamed) {
  for (const auto& [name, target] : renamed) {
    if (std::ranges::find(member_classes, name) != member_classes.end()) continue;
    throw Error::mismatch(ErrorCode::options, "member " + member + ": classes", detail::joined(member_classes), name);
  }
  if (const auto found = renamed.find(member_classes.at(0)); found != renamed.end()) {
    if (found->second != ensemble_classes.at(0)) {
      throw Error::mismatch(ErrorCode::options, "member " + member + ": classes: its background, " + found->first,
                            ensemble_classes[0], found->second);
    }
  }
  ClassMapping mapping{ensemble_classes, {}, std::vector<bool>(ensemble_classes.size(), false)};
  for (std::size_t c = 0; c < member_classes.size(); ++c) {
    const auto found = renamed.find(member_classes[c]);
    const auto& name = found != renamed.end() ? found->second : c == 0 ? ensemble_classes[0] : member_classes[c];
    const auto target = std::ranges::find(ensemble_classes, name);
    if (target == ensemble_classes.end()) {
      throw Error::mismatch(ErrorCode::options, "member " + member + ": class " + member_classes[c],
                            "a class of the ensemble (" + detail::joined(ensemble_classes) + ")", name);
    }
    mapping.to.push_back(std::size_t(target - ensemble_classes.begin()));
    mapping.answers[mapping.to.back()] = true;
  }
  mapping.answers[0] = true;
  if (std::ranges::count(mapping.answers, true) == 1) {
    throw Error(ErrorCode::options, "member " + member +
                                        ": expected at least one class that becomes one of the ensemble's (" +
                                        detail::joined(ensemble_classes) + "), all become " + ensemble_classes[0]);
  }
  return mapping;
}

ICHDET_INLINE ProbabilityMap to_classes(const ProbabilityMap& map, const ClassMapping& mapping) {
  if (map.classes.size() != mapping.to.size()) {
    throw Error::mismatch(ErrorCode::shape, "probability map: classes", std::to_string(mapping.to.size()),
                          std::to_string(map.classes.size()));
  }
  bool same = mapping.to.size() == mapping.names.size();
  for (std::size_t c = 0; same && c < mapping.to.size(); ++c) same = mapping.to[c] == c;
  if (same) return {map.values, mapping.names, map.geometry};
  const auto& shape = map.values.shape();
  Array4<float> values({std::int64_t(mapping.names.size()), shape[1], shape[2], shape[3]});
  for (std::size_t c = 0; c < mapping.to.size(); ++c) {
    const auto from = map.values.plane(std::int64_t(c));
    const auto into = values.plane(std::int64_t(mapping.to[c]));
    std::ranges::transform(from, into, into.begin(), std::plus<>());
  }
  return {std::move(values), mapping.names, map.geometry};
}

ICHDET_INLINE LabelMap to_classes(const LabelMap& map, const ClassMapping& mapping) {
  if (map.names.size() != mapping.to.size()) {
    throw Error::mismatch(ErrorCode::shape, "label map: names", std::to_string(mapping.to.size()),
                          std::to_string(map.names.size()));
  }
  auto labels = Array3<std::uint8_t>::uninitialized(map.labels.shape());
  for (std::int64_t i = 0; i < labels.size(); ++i) {
    const auto label = map.labels.data()[i];
    if (label >= mapping.to.size()) {
      throw Error::mismatch(ErrorCode::shape, "label map: label", "one with a name", std::to_string(label));
    }
    labels.data()[i] = std::uint8_t(mapping.to[label]);
  }
  return {std::move(labels), mapping.names, map.geometry};
}

}  // namespace ichdet::ensemble
