#include "engine_table.hpp"

#include <algorithm>
#include <string_view>

#include "tile_product.hpp"

namespace ichdet::nn {
namespace {

constexpr std::string_view deepmedic = "ichdet::models::DeepMedicImpl";
constexpr std::string_view others[] = {
    "ichdet::models::DenseNetImpl",
    "ichdet::models::DynUNetImpl",
    "ichdet::models::EfficientClassificationImpl",
    "ichdet::models::EfficientNetImpl",
    "ichdet::models::InceptionResNetV2Impl",
    "ichdet::models::InceptionUNetImpl",
    "ichdet::models::MobileNetLstmImpl",
    "ichdet::models::MobileNetV1Impl",
    "ichdet::models::MobileNetV2Impl",
    "ichdet::models::NnUNetImpl",
    "ichdet::models::ResNetImpl",
    "ichdet::models::VggImpl",
    "ichdet::models::ViolaUnetImpl",
    "ichdet::models::WeightModelImpl",
};

}  // namespace

bool has_native_kernels(Precision precision) {
  return has_amx_bf16() || (precision == Precision::bfloat16 ? has_avx512_bf16() : has_avx512());
}

Engine fastest_engine(const std::string& network, Precision precision) {
  // In bfloat16 DeepMedic's kernels are for AMX alone, and slow without.
  const bool rounded_deepmedic = network == deepmedic && precision == Precision::bfloat16;
  const bool runs = rounded_deepmedic ? has_amx_bf16() : has_native_kernels(precision);
  const bool native = runs && (network == deepmedic || std::ranges::count(others, network) > 0);
  return native ? Engine::native : Engine::torch;
}

}  // namespace ichdet::nn
