#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ichdet/nn/prepare.hpp"

namespace ichdet::nn {

/// A network's form made by hand, for inputs of any shape. It holds what it needs of the module.
struct OwnForm {
  std::function<at::Tensor(const at::Tensor&)> run;
  std::function<std::int64_t(at::IntArrayRef shape)> activation_bytes;
  Engine engine = Engine::native;
  std::string name, reason;
};

/// What there is for this module, precision and engine (not automatic) on the CPU; nothing: it is to be traced.
std::optional<OwnForm> own_form(const std::shared_ptr<torch::nn::Module>& module, Engine engine, Precision precision);

}  // namespace ichdet::nn
