#include "prepared_deepmedic.hpp"

#include <memory>

#include "float32_deepmedic.hpp"
#include "tiled_deepmedic.hpp"

namespace ichdet::nn {

PreparedDeepMedic::PreparedDeepMedic(const models::DeepMedicImpl& network, Precision precision) {
  FoldedDeepMedic folded(network);
  const auto run = [this](auto form) {
    run_ = [form = std::make_shared<const decltype(form)>(std::move(form))](const at::Tensor& x) { return (*form)(x); };
  };
  const bool amx = has_amx_bf16(), rounded = precision == Precision::bfloat16;
  if (amx || rounded) {
    run(TiledDeepMedic(std::move(folded), !rounded, amx));
  } else {
    run(Float32DeepMedic(std::move(folded)));
  }
}

}  // namespace ichdet::nn
