#pragma once

#include <string>

#include "ichdet/nn/prepare.hpp"

namespace ichdet::nn {

/// The engine that was fastest for this network (its C++ class) and precision on a CPU like this one, by
/// docs/benchmarks.md; for what was not measured, LibTorch.
Engine fastest_engine(const std::string& network, Precision precision);

}  // namespace ichdet::nn
