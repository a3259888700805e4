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

// Of the building blocks LibTorch's engine won all but three, and lost those by 13 % at most: no row for OpenVINO yet.
constexpr Row rows[] = {
    {"ichdet::models::DeepMedicImpl", Precision::float32, InstructionSet::amx, Engine::native},
    {"ichdet::models::DeepMedicImpl", Precision::bfloat16, InstructionSet::amx, Engine::native},
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
