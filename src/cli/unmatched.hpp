#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/evaluate/cohort.hpp"

namespace ichdet::cli {

/// Says on stderr which cases are in one of the two files alone, and so were not used.
inline void tell_unmatched(const evaluate::Cohort& cohort, const Context& context) {
  constexpr std::size_t shown = 5;
  const auto tell = [&](const std::vector<std::string>& ids, const char* file) {
    if (ids.empty() || context.quiet) return;
    std::string names;
    for (std::size_t i = 0; i < ids.size() && i < shown; ++i) names += (i > 0 ? ", " : "") + ids[i];
    if (ids.size() > shown) names += ", ...";
    std::fprintf(stderr, "Not used, since only in the %s: %zu of unit %s: %s\n", file, ids.size(), cohort.unit.c_str(),
                 names.c_str());
  };
  tell(cohort.only_in_truth, "truth");
  tell(cohort.only_in_predictions, "predictions");
}

}  // namespace ichdet::cli
