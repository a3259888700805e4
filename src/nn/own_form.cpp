#include "own_form.hpp"

#include <torch/nn/module.h>

#include "float32_deepmedic.hpp"
#include "ichdet/models/deepmedic.hpp"
#include "tiled_deepmedic.hpp"

namespace ichdet::nn {
namespace {

template <class Form>
OwnForm of(Form form) {
  const auto shared = std::make_shared<const Form>(std::move(form));
  OwnForm own;
  own.run = [shared](const at::Tensor& x) { return (*shared)(x); };
  own.activation_bytes = [shared](at::IntArrayRef shape) { return shared->activation_bytes(shape); };
  return own;
}

/// On tiles of bfloat16, and in float32 with values split in two, where the CPU has AMX: elsewhere LibTorch's own
/// convolutions are faster.
std::optional<OwnForm> deepmedic_form(const models::DeepMedicImpl& network, Engine engine, Precision precision) {
  const bool amx = has_amx_bf16(), rounded = precision == Precision::bfloat16;
  if (engine == Engine::native && (amx || rounded)) {
    auto own = of(TiledDeepMedic(FoldedDeepMedic(network), !rounded, amx));
    own.name = std::string("DeepMedic on ") + (amx ? "AMX" : "portable") + " tiles of bfloat16, float32 sums" +
               (rounded ? "" : ", values split in two");
    return own;
  }
  if (rounded) return std::nullopt;
  auto own = of(Float32DeepMedic(FoldedDeepMedic(network)));
  own.engine = Engine::torch;
  own.name = "DeepMedic on LibTorch's convolutions, all else fused";
  if (engine == Engine::native) own.reason = "native: DeepMedic in float32 needs a CPU with AMX";
  return own;
}

}  // namespace

std::optional<OwnForm> own_form(const torch::nn::Module& module, Engine engine, Precision precision) {
  if (engine == Engine::openvino) return std::nullopt;
  if (const auto* deepmedic = dynamic_cast<const models::DeepMedicImpl*>(&module)) {
    return deepmedic_form(*deepmedic, engine, precision);
  }
  return std::nullopt;
}

}  // namespace ichdet::nn
