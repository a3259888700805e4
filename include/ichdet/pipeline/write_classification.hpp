#pragma once

#include <filesystem>
#include <span>

#include "ichdet/core/results.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/report/classification.hpp"

namespace ichdet {

/// Writes `figure.png`, `slices.csv` (not where slices have no scores) and `result.json` into `folder`, which is made
/// where it is missing; an earlier result there is replaced. `result.json` comes last: where it is, the result is
/// whole. Throws Error(io) naming the file.
void write_classification(const SliceStack& stack, const StudyResult& result, std::span<const SliceMap> maps,
                          const std::filesystem::path& folder, const ClassificationOptions& options = {});

}  // namespace ichdet
