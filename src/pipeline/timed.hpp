#pragma once

#include <chrono>

#include "ichdet/core/results.hpp"

namespace ichdet::pipeline {

/// Runs `stage` and notes how long it took.
template <class Stage>
auto timed(StudyResult& result, const char* name, Stage&& stage) {
  const auto start = std::chrono::steady_clock::now();
  auto value = stage();
  result.timings_s.emplace_back(name, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  return value;
}

}  // namespace ichdet::pipeline
