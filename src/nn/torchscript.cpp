#include "ichdet/nn/torchscript.hpp"

#include <torch/csrc/jit/api/module.h>
#include <torch/nn/module.h>

#include "engine.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet {

void write_torchscript(const std::filesystem::path& file, const std::shared_ptr<torch::nn::Module>& module,
                       const Forward& forward, const std::vector<std::int64_t>& shape) {
  const auto graph = nn::folded_trace(*module, forward, shape, "TorchScript");
  for (auto* node : graph->nodes()) {  // what a parameter is must not require gradients: readers refuse such constants
    if (node->kind() == torch::jit::prim::Constant && node->hasAttribute(torch::jit::attr::value) &&
        node->kindOf(torch::jit::attr::value) == torch::jit::AttributeKind::t) {
      node->t_(torch::jit::attr::value, node->t(torch::jit::attr::value).detach());
    }
  }
  torch::jit::Module scripted("ichdet.Network");
  graph->insertInput(0, "self")->setType(scripted._ivalue()->type());
  auto* function = scripted._ivalue()->compilation_unit()->create_function(
      c10::QualifiedName(*scripted.type()->name(), "forward"), graph);
  scripted.type()->addMethod(function);
  try {
    scripted.save(file.string());
  } catch (const c10::Error& e) {
    throw Error(ErrorCode::io, file.string() + ": cannot be written: " + e.what_without_backtrace());
  }
}

}  // namespace ichdet
