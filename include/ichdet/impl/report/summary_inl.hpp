#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "ichdet/impl/report/shared.hpp"
#include "ichdet/report/summary.hpp"

namespace ichdet {

namespace detail {

ICHDET_INLINE std::string bundle_line(const BundleIdentity& bundle) {
  std::string text = bundle.name;
  if (!bundle.version.empty()) text += " " + bundle.version;
  if (!bundle.sha256.empty()) text += " (sha256 " + bundle.sha256.substr(0, 12) + "...)";
  return text;
}

/// "IPH 23 mL, IVH 1.2 mL", in the order of the labels, of those that count as blood or of the others.
ICHDET_INLINE std::string volumes_text(const StudyResult& result, bool blood) {
  std::string text;
  for (const auto& [value, name] : result.labels) {
    const auto volume = result.volumes_ml.find(name);
    if (volume == result.volumes_ml.end() || !(volume->second > 0) || is_blood(result, value) != blood) continue;
    if (!text.empty()) text += ", ";
    text += name + " " + millilitres(volume->second);
  }
  return text;
}

ICHDET_INLINE std::string calibration_note(bool calibrated, const std::optional<double>& raw) {
  if (!calibrated) return ", not calibrated";
  return raw ? format(", calibrated from %.2f", *raw) : ", calibrated";
}

}  // namespace detail

ICHDET_INLINE std::string place(const Eigen::Vector3d& lps_mm) {
  const auto part = [](double value, const char* positive, const char* negative) {
    return detail::format("%s %.0f", std::round(value) < 0 ? negative : positive, std::abs(value));
  };
  return part(lps_mm.x(), "L", "R") + " " + part(lps_mm.y(), "P", "A") + " " + part(lps_mm.z(), "S", "I") + " mm";
}

ICHDET_INLINE std::string finding(const StudyResult& result) {
  if (!result.classes.empty() && result.labels.empty()) {
    return result.decision.positive ? "Hemorrhage" : "No hemorrhage found";
  }
  const auto blood = detail::volumes_text(result, true);
  const auto others = detail::volumes_text(result, false);
  if (!result.decision.positive) {
    return blood.empty() ? "No hemorrhage found" : "No hemorrhage found (outlined below the threshold: " + blood + ")";
  }
  if (blood.empty()) return "Hemorrhage suspected, nothing outlined";
  return "Hemorrhage: " + blood + (others.empty() ? "" : "; " + others);
}

ICHDET_INLINE std::string summary(const StudyResult& result, const SummaryOptions& options) {
  using detail::format;
  std::string text = finding(result) + "\n";
  text += format("  probability %.2f%s (%s)\n", result.decision.probability,
                 detail::calibration_note(result.decision.calibrated, result.decision.raw_probability).c_str(),
                 result.decision.rule.c_str());
  std::vector<std::int64_t> positive;
  for (const auto& slice : result.slices) {
    if (detail::is_positive(result, slice.probability)) positive.push_back(slice.index);
  }
  const auto& above = result.decision.slice_threshold;
  text += format("  slices %sabove %g: %zu of %zu%s\n", above ? "" : "at or ",
                 above.value_or(result.decision.threshold), positive.size(), result.slices.size(),
                 positive.empty() ? "" : (" (" + detail::ranges(positive) + ")").c_str());
  for (std::size_t c = 0; c < result.class_probabilities.size(); ++c) {
    text += format("  %s: %.2f\n", result.classes.at(c).c_str(), result.class_probabilities[c]);
  }

  const auto shown = std::min(options.lesions, result.lesions.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& lesion = result.lesions[i];
    text += format("  lesion %zu: %s %s, %.0f mm across, at %s, slices %s, confidence %.2f%s\n", i + 1,
                   lesion.label.c_str(), detail::millilitres(lesion.volume_ml).c_str(), lesion.diameter_mm,
                   place(lesion.centroid_mm).c_str(), detail::ranges(lesion.slices).c_str(), lesion.confidence,
                   detail::calibration_note(lesion.calibrated, lesion.raw_confidence).c_str());
  }
  if (shown < result.lesions.size()) {
    text += format("  and %zu smaller lesions\n", result.lesions.size() - shown);
  }
  if (!result.trust.ok) text += "  REVIEW: the input is not one that the model may be trusted on\n";
  for (const auto& reason : result.trust.reasons) text += "  review: " + reason + "\n";
  for (const auto& reason : result.review) text += "  REVIEW: " + reason + "\n";
  for (const auto& assumption : result.assumptions) text += "  assumed: " + assumption + "\n";
  for (const auto& bundle : result.bundles) text += "  model: " + detail::bundle_line(bundle) + "\n";
  if (const auto& ran = result.inference; !ran.engine.empty()) {
    text += "  ran on: " + ran.engine + ", " + ran.precision + " (" + ran.form + ")\n";
    if (!ran.reason.empty()) text += "  because " + ran.reason + "\n";
  }
  double seconds = 0;
  for (const auto& [stage, time] : result.timings_s) {
    if (stage == "total") {
      seconds = time;
      break;
    }
    seconds += time;
  }
  if (!result.timings_s.empty()) text += format("  time: %.1f s\n", seconds);
  return text + "  ichdet " + result.version + ", NOT FOR CLINICAL USE\n";
}

}  // namespace ichdet
