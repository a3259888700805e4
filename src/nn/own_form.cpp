#include "own_form.hpp"

#include <torch/nn/module.h>

#include "../native/row_product.hpp"
#include "../native/valid_convolution.hpp"
#include "engine_table.hpp"
#include "float32_deepmedic.hpp"
#include "ichdet/models/deepmedic.hpp"
#include "ichdet/models/mobilenet_lstm.hpp"
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

/// On tiles of bfloat16, and in float32 with values split in two, where the CPU has AMX; elsewhere float32 by
/// Winograd's convolutions, or LibTorch's own.
std::optional<OwnForm> deepmedic_form(const models::DeepMedicImpl& network, Engine engine, Precision precision) {
  const bool amx = has_amx_bf16(), rounded = precision == Precision::bfloat16;
  if (engine == Engine::native && (amx || rounded)) {
    auto own = of(TiledDeepMedic(FoldedDeepMedic(network), !rounded, amx));
    own.name = std::string("DeepMedic on ") +
               (amx                 ? "AMX"
                : has_avx512_bf16() ? "AVX-512"
                                    : "portable") +
               " tiles of bfloat16, float32 sums" + (rounded ? "" : ", values split in two");
    return own;
  }
  if (rounded) return std::nullopt;
#ifdef ICHDET_HAS_NATIVE
  if (engine == Engine::native && has_avx512()) {
    auto own =
        of(Float32DeepMedic(filled_up(FoldedDeepMedic(network), 16), {native::valid_convolution, native::row_product}));
    own.name = "DeepMedic by Winograd's convolutions, float32, all else fused";
    return own;
  }
#endif
  auto own = of(Float32DeepMedic(FoldedDeepMedic(network)));
  own.engine = Engine::torch;
  own.name = "DeepMedic on LibTorch's convolutions, all else fused";
  if (engine == Engine::native) own.reason = "native: DeepMedic in float32 needs a CPU with AVX-512";
  return own;
}

/// The slices' network by the native engine, slices of all exams in one batch; the LSTM as it is.
std::optional<OwnForm> exam_form(const std::shared_ptr<models::MobileNetLstmImpl>& network, Engine engine,
                                 Precision precision) {
  if (engine != Engine::native || !has_native_kernels(precision)) return std::nullopt;
  PrepareOptions options;
  options.engine = engine;
  options.precision = precision;
  const auto backbone = network->backbone.ptr();
  const auto slices = prepare(
      backbone, [backbone](const at::Tensor& x) { return backbone->forward_features(x); }, options);
  OwnForm own;
  own.run = [network, slices](const at::Tensor& x) {
    if (x.dim() != 5 || x.size(0) == 0) return network->forward(x);
    return network->forward_head(slices(x.flatten(0, 1)).unflatten(0, {x.size(0), x.size(1)}));
  };
  own.activation_bytes = [slices](at::IntArrayRef shape) {
    if (shape.size() != 5 || shape[0] == 0) return std::int64_t(0);
    const auto made = slices.preparation({shape[0] * shape[1], shape[2], shape[3], shape[4]});
    return std::int64_t(made.activations_mib * (1 << 20));
  };
  own.engine = Engine::native;
  own.name = "each slice by the native engine, the LSTM by LibTorch";
  return own;
}

}  // namespace

std::optional<OwnForm> own_form(const std::shared_ptr<torch::nn::Module>& module, Engine engine, Precision precision) {
  if (engine == Engine::openvino) return std::nullopt;
  if (const auto* deepmedic = dynamic_cast<const models::DeepMedicImpl*>(module.get())) {
    return deepmedic_form(*deepmedic, engine, precision);
  }
  if (const auto exam = std::dynamic_pointer_cast<models::MobileNetLstmImpl>(module)) {
    return exam_form(exam, engine, precision);
  }
  return std::nullopt;
}

}  // namespace ichdet::nn
