#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "ichdet/nn/network.hpp"
#include "ichdet/train/weight_average.hpp"

namespace torch::optim {
class Optimizer;
}

namespace ichdet::train {

/// Where a training stands, beside its weights.
struct Standing {
  std::string identity;
  std::int64_t step = 0, best_step = -1;
  double best_score = 0, seconds = 0;
  std::map<std::string, double> best_values;
  double loss_sum = 0;  ///< of the steps since the log's last row, and how many they are
  std::int64_t losses = 0;
};

/// Weights, optimiser, average (may be null) and standing in one file, written beside and renamed. Throws Error(io).
void save_state(const std::filesystem::path& file, const Standing& standing, Network& network,
                const torch::optim::Optimizer& optimizer, const WeightAverage* average);

/// Throws Error(options) where the file is of another training than `identity`, Error(io) where it is damaged.
Standing load_state(const std::filesystem::path& file, const std::string& identity, const at::Device& device,
                    Network& network, torch::optim::Optimizer& optimizer, WeightAverage* average);

}  // namespace ichdet::train
