#pragma once

#include <string>

#include "ichdet/nn/prepare.hpp"

namespace ichdet::nn {

/// Whether this CPU has what the native engine's kernels of any network multiply by: AMX, or AVX-512.
bool has_native_kernels(Precision precision);

/// The engine that was fastest for this network (its C++ class) and precision on a CPU like this one, by
/// docs/benchmarks.md; for what was not measured, LibTorch.
Engine fastest_engine(const std::string& network, Precision precision);

}  // namespace ichdet::nn
