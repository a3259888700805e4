#pragma once

#include <cstdint>

#include "ichdet/bundle/spec.hpp"

namespace ichdet {
class Network;
}

namespace ichdet::pipeline {

/// Random weights whose outputs depend on the input, as make_untrained_bundle() says.
void randomise(Network& network, const ModelSpec& model, std::uint64_t seed);

}  // namespace ichdet::pipeline
