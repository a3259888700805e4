#pragma once

#include <string>

#include "ichdet/nn/prepare.hpp"

namespace ichdet::nn {

/// The engine that was fastest on a CPU like this one, by docs/benchmarks.md; for networks that were not measured, the
/// one that won most of the building blocks there.
Engine fastest_engine(const std::string& network, Precision precision);

}  // namespace ichdet::nn
