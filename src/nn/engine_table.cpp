#include "engine_table.hpp"

#include <string_view>

#include "tile_product.hpp"

namespace ichdet::nn {
namespace {

struct Row {
  std::string_view network;
  Engine float32, bfloat16;
};

constexpr Row with_amx[] = {
    {"ichdet::models::DeepMedicImpl", Engine::native, Engine::native},
    {"ichdet::models::DenseNetImpl", Engine::native, Engine::native},
    {"ichdet::models::DynUNetImpl", Engine::native, Engine::native},
    {"ichdet::models::EfficientClassificationImpl", Engine::native, Engine::native},
    {"ichdet::models::EfficientNetImpl", Engine::native, Engine::native},
    {"ichdet::models::InceptionResNetV2Impl", Engine::native, Engine::native},
    {"ichdet::models::InceptionUNetImpl", Engine::native, Engine::native},
    {"ichdet::models::MobileNetLstmImpl", Engine::native, Engine::native},
    {"ichdet::models::MobileNetV1Impl", Engine::native, Engine::native},
    {"ichdet::models::MobileNetV2Impl", Engine::native, Engine::native},
    {"ichdet::models::NnUNetImpl", Engine::native, Engine::native},
    {"ichdet::models::ResNetImpl", Engine::native, Engine::native},
    {"ichdet::models::VggImpl", Engine::native, Engine::native},
    {"ichdet::models::ViolaUnetImpl", Engine::native, Engine::native},
    {"ichdet::models::WeightModelImpl", Engine::native, Engine::native},
};

}  // namespace

Engine fastest_engine(const std::string& network, Precision precision) {
  if (!has_amx_bf16()) return Engine::torch;
  for (const auto& row : with_amx) {
    if (row.network == network) return precision == Precision::bfloat16 ? row.bfloat16 : row.float32;
  }
  return Engine::torch;
}

}  // namespace ichdet::nn
