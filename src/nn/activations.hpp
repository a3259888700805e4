#pragma once

#include <optional>

#include "onednn.hpp"

namespace torch::jit {
struct Node;
}

namespace ichdet::nn {

/// `node` as what oneDNN applies after a layer; nullopt for other operators.
std::optional<Activation> activation_of(const torch::jit::Node* node);

}  // namespace ichdet::nn
