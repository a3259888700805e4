#pragma once

#include <memory>

#include "ichdet/bundle/bundle.hpp"

namespace torch::nn {
class Module;
}

namespace ichdet::models {

/// Builds the architecture that a bundle names and fills it with the bundle's weights, in evaluation mode.
/// Throws Error(weights) where the architecture is unknown, or weights and architecture do not fit.
std::shared_ptr<torch::nn::Module> load(const Bundle& bundle);

}  // namespace ichdet::models
