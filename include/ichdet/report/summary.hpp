#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <string>

#include "ichdet/core/config.hpp"
#include "ichdet/core/results.hpp"

namespace ichdet {

struct SummaryOptions {
  std::size_t lesions = 5;  ///< how many of the largest lesions are listed; the others are counted
};

/// The result in a few lines of text for people: decision, volumes, largest lesions, review reasons, assumptions, model,
/// and that it is not for clinical use. Ends in a newline; no colours.
std::string summary(const StudyResult& result, const SummaryOptions& options = {});

/// One line: "Hemorrhage: IPH 23.4 mL, IVH 1.2 mL; oedema 8.0 mL" or "No hemorrhage found". Labels that count as blood
/// come first, those without volume are left out.
std::string finding(const StudyResult& result);

/// LPS millimetres in words that need no sign: "L 23 P 10 S 45 mm".
std::string place(const Eigen::Vector3d& lps_mm);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/summary_inl.hpp"
#endif
