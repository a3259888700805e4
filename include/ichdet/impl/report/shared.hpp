#pragma once

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <string>
#include <vector>

#include "ichdet/core/results.hpp"
#include "ichdet/core/slice_stack.hpp"

// What several definitions of this folder use.
namespace ichdet::detail {

/// printf into a string.
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
inline std::string
format(const char* pattern, ...) {
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
inline std::string millilitres(double volume) {
  return format(volume < 0.1 ? "%.2f mL" : volume < 100 ? "%.1f mL" : "%.0f mL", volume);
}

inline bool is_blood(const StudyResult& result, int label) {
  const auto& blood = result.blood_labels;
  return blood.empty() || std::find(blood.begin(), blood.end(), label) != blood.end();
}

/// Whether a slice counts as positive: detectors reach their threshold, classifiers exceed theirs (CaseRule).
inline bool is_positive(const StudyResult& result, double probability) {
  const auto& above = result.decision.slice_threshold;
  return above ? probability > *above : probability >= result.decision.threshold;
}

/// Neighbouring indices as ranges: "3-7, 9".
inline std::string ranges(const std::vector<std::int64_t>& ascending) {
  std::string text;
  for (std::size_t begin = 0; begin < ascending.size();) {
    std::size_t end = begin + 1;
    while (end < ascending.size() && ascending[end] == ascending[end - 1] + 1) ++end;
    if (!text.empty()) text += ", ";
    text += std::to_string(ascending[begin]);
    if (end - begin > 1) text.append("-").append(std::to_string(ascending[end - 1]));
    begin = end;
  }
  return text;
}

/// Whether the picture's lower end is the stack's first slice.
inline bool first_slice_is_lowest(const SliceGeometry& geometry) {
  Eigen::Index axis = 0;
  geometry.normal().cwiseAbs().maxCoeff(&axis);
  return geometry.normal()[axis] > 0;
}

}  // namespace ichdet::detail
