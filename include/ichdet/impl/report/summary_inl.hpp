#pragma once

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <utility>
#include <vector>

#include "ichdet/report/summary.hpp"

namespace ichdet {

namespace detail {

/// printf into a string.
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
ICHDET_INLINE std::string format(const char* pattern, ...) {
  va_list arguments;
  va_start(arguments, pattern);
  va_list again;
  va_copy(again, arguments);
  std::string text(std::size_t(std::max(0, std::vsnprintf(nullptr, 0, pattern, arguments))), '\0');
  va_end(arguments);
  std::vsnprintf(text.data(), text.size() + 1, pattern, again);
  va_end(again);
  return text;
}

/// 0.04, 1.2, 23: as many digits as the size deserves.
ICHDET_INLINE std::string millilitres(double volume) {
  return format(volume < 0.1 ? "%.2f mL" : volume < 100 ? "%.1f mL" : "%.0f mL", volume);
}

/// Neighbouring indices as ranges: "3-7, 9".
ICHDET_INLINE std::string ranges(const std::vector<std::int64_t>& ascending) {
  std::string text;
  for (std::size_t begin = 0; begin < ascending.size();) {
    std::size_t end = begin + 1;
    while (end < ascending.size() && ascending[end] == ascending[end - 1] + 1) ++end;
    if (!text.empty()) text += ", ";
    text += std::to_string(ascending[begin]);
    if (end - begin > 1) text += "-" + std::to_string(ascending[end - 1]);
    begin = end;
  }
  return text;
}

/// "L 23 P 10 S 45 mm": LPS millimetres in words that need no sign.
ICHDET_INLINE std::string place(const Eigen::Vector3d& lps_mm) {
  const auto part = [](double value, const char* positive, const char* negative) {
    return format("%s %.0f", std::round(value) < 0 ? negative : positive, std::abs(value));
  };
  return part(lps_mm.x(), "L", "R") + " " + part(lps_mm.y(), "P", "A") + " " + part(lps_mm.z(), "S", "I") + " mm";
}

ICHDET_INLINE std::string bundle_line(const BundleIdentity& bundle) {
  std::string text = bundle.name;
  if (!bundle.version.empty()) text += " " + bundle.version;
  if (!bundle.sha256.empty()) text += " (sha256 " + bundle.sha256.substr(0, 12) + "...)";
  return text;
}

ICHDET_INLINE std::string volumes_text(const StudyResult& result) {
  std::vector<std::pair<double, std::string>> parts;
  for (const auto& [name, volume] : result.volumes_ml) {
    if (volume > 0) parts.emplace_back(volume, name);
  }
  std::stable_sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text;
  for (const auto& [volume, name] : parts) {
    if (!text.empty()) text += ", ";
    text += name + " " + millilitres(volume);
  }
  return text;
}

}  // namespace detail

ICHDET_INLINE std::string finding(const StudyResult& result) {
  const std::string volumes = detail::volumes_text(result);
  if (result.decision.positive) return "Hemorrhage: " + (volumes.empty() ? "suspected, nothing outlined" : volumes);
  return volumes.empty() ? "No hemorrhage found"
                         : "No hemorrhage found (below the threshold; outlined: " + volumes + ")";
}

ICHDET_INLINE std::string summary(const StudyResult& result, const SummaryOptions& options) {
  using detail::format;
  std::string text = finding(result) + "\n";
  text += format("  probability %.2f%s (%s)\n", result.decision.probability,
                 result.decision.calibrated ? "" : ", not calibrated", result.decision.rule.c_str());
  std::vector<std::int64_t> positive;
  for (const auto& slice : result.slices) {
    if (slice.probability >= 0.5) positive.push_back(slice.index);
  }
  text += format("  slices at or above 0.5: %s of %zu\n", positive.empty() ? "none" : detail::ranges(positive).c_str(),
                 result.slices.size());

  const auto shown = std::min(options.lesions, result.lesions.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& lesion = result.lesions[i];
    text += format("  lesion %zu: %s %s, %.0f mm across, at %s, slices %s, confidence %.2f%s\n", i + 1,
                   lesion.label.c_str(), detail::millilitres(lesion.volume_ml).c_str(), lesion.diameter_mm,
                   detail::place(lesion.centroid_mm).c_str(), detail::ranges(lesion.slices).c_str(), lesion.confidence,
                   lesion.calibrated ? "" : ", not calibrated");
  }
  if (shown < result.lesions.size()) {
    text += format("  and %zu smaller lesions\n", result.lesions.size() - shown);
  }
  if (!result.trust.ok) text += "  REVIEW: the input is not one that the model may be trusted on\n";
  for (const auto& reason : result.trust.reasons) text += "  review: " + reason + "\n";
  for (const auto& assumption : result.assumptions) text += "  assumed: " + assumption + "\n";
  for (const auto& bundle : result.bundles) text += "  model: " + detail::bundle_line(bundle) + "\n";
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
