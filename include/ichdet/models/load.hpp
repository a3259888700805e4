#pragma once

#include <memory>

#include "ichdet/bundle/bundle.hpp"

namespace ichdet {
class Network;
}

namespace ichdet::models {

/// Builds the architecture that a bundle names and fills it with the bundle's weights, in evaluation mode.
/// Throws Error(weights) where the architecture is unknown, or weights and architecture do not fit.
std::shared_ptr<Network> load(const Bundle& bundle);

}  // namespace ichdet::models
