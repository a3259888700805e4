#include "engine_table.hpp"

#include <string_view>

#include "tile_product.hpp"

namespace ichdet::nn {
namespace {

enum class InstructionSet { any, amx };

struct Row {
  std::string_view network;
  Precision precision;
  InstructionSet instructions;
  Engine engine;
};

constexpr Row rows[] = {
    {"ichdet::models::DeepMedicImpl", Precision::float32, InstructionSet::amx, Engine::native},
    {"ichdet::models::DeepMedicImpl", Precision::bfloat16, InstructionSet::amx, Engine::native},
    {"ichdet::models::EfficientClassificationImpl", Precision::float32, InstructionSet::amx, Engine::native},
    {"ichdet::models::EfficientClassificationImpl", Precision::bfloat16, InstructionSet::amx, Engine::native},
    {"ichdet::models::EfficientNetImpl", Precision::float32, InstructionSet::amx, Engine::native},
    {"ichdet::models::EfficientNetImpl", Precision::bfloat16, InstructionSet::amx, Engine::native},
    {"ichdet::models::ResNetImpl", Precision::float32, InstructionSet::amx, Engine::native},
    {"ichdet::models::ResNetImpl", Precision::bfloat16, InstructionSet::amx, Engine::native},
    {"ichdet::models::DenseNetImpl", Precision::float32, InstructionSet::amx, Engine::native},
    {"ichdet::models::DenseNetImpl", Precision::bfloat16, InstructionSet::amx, Engine::native},
    {"ichdet::models::InceptionResNetV2Impl", Precision::float32, InstructionSet::amx, Engine::native},
    {"ichdet::models::InceptionResNetV2Impl", Precision::bfloat16, InstructionSet::amx, Engine::native},
    {"ichdet::models::MobileNetV2Impl", Precision::float32, InstructionSet::amx, Engine::native},
    {"ichdet::models::MobileNetV2Impl", Precision::bfloat16, InstructionSet::amx, Engine::native},
    {"ichdet::models::MobileNetLstmImpl", Precision::float32, InstructionSet::amx, Engine::openvino},
    {"ichdet::models::MobileNetLstmImpl", Precision::bfloat16, InstructionSet::amx, Engine::openvino},
    {"ichdet::models::VggImpl", Precision::float32, InstructionSet::amx, Engine::native},
};

}  // namespace

Engine fastest_engine(const std::string& network, Precision precision) {
  for (const auto& row : rows) {
    const bool runs_here = row.instructions == InstructionSet::any || has_amx_bf16();
    if (row.network == network && row.precision == precision && runs_here) return row.engine;
  }
  return Engine::torch;
}

}  // namespace ichdet::nn
