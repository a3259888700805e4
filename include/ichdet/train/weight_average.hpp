#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace torch::nn {
class Module;
}

namespace ichdet::train {

/// An exponential moving average of a network's parameters and buffers: steadier than the last step's. Counters are
/// copied. The decay rises with the steps, as (1 + n) / (10 + n), until `decay`.
class WeightAverage {
 public:
  WeightAverage(const torch::nn::Module& network, double decay);

  void update(const torch::nn::Module& network);
  /// Exchanges the average with the network's own weights; twice, and all is as before.
  void swap(torch::nn::Module& network);

  std::map<std::string, at::Tensor> tensors;
  std::int64_t updates = 0;

 private:
  double decay_;
};

}  // namespace ichdet::train
