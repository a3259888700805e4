#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace torch::nn {
class Module;
}
namespace torch::optim {
class Optimizer;
}

namespace ichdet::train {

/// How weights follow their gradients, as PyTorch's optimisers of these names.
struct OptimizerSpec {
  enum class Kind { sgd, adam, adamw };
  Kind kind = Kind::adamw;
  double learning_rate = 1e-3;
  double momentum = 0.9;  ///< of sgd
  bool nesterov = false;  ///< of sgd
  double weight_decay = 0;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;  ///< of adam and adamw
  double clip_gradient = 0;                           ///< largest norm of all gradients together; 0: any
};

/// From JSON: {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9, ...}. Throws Error(weights).
OptimizerSpec optimizer_spec(const nlohmann::json& json, const std::string& subject);

/// Of all parameters that require gradients. Biases and norms have no weight decay with adamw alone.
std::unique_ptr<torch::optim::Optimizer> make_optimizer(const OptimizerSpec& spec, torch::nn::Module& network);
void set_learning_rate(torch::optim::Optimizer& optimizer, double learning_rate);

/// How the learning rate changes: a factor to OptimizerSpec::learning_rate.
struct ScheduleSpec {
  enum class Kind {
    constant,
    polynomial,  ///< (1 - step / steps)^power: nnU-Net's
    step,        ///< times `factor` every `every_epochs`: S1's
    cosine,      ///< (1 + cos(pi step / steps)) / 2
  };
  Kind kind = Kind::constant;
  double power = 0.9;
  double factor = 0.6;
  std::int64_t every_epochs = 2;
  std::int64_t warm_up = 0;  ///< steps in which it rises from 0
};

ScheduleSpec schedule_spec(const nlohmann::json& json, const std::string& subject);

/// At `step` of `steps`, an epoch being `epoch` steps long.
double schedule_factor(const ScheduleSpec& spec, std::int64_t step, std::int64_t steps, std::int64_t epoch);

}  // namespace ichdet::train
