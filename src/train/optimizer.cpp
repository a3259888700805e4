#include "ichdet/train/optimizer.hpp"

#include <torch/nn/module.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace ichdet::train {
namespace {

std::vector<at::Tensor> learning(torch::nn::Module& network) {
  std::vector<at::Tensor> parameters;
  for (const auto& parameter : network.parameters()) {
    if (parameter.requires_grad()) parameters.push_back(parameter);
  }
  return parameters;
}

}  // namespace

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const OptimizerSpec& spec, torch::nn::Module& network) {
  const auto parameters = learning(network);
  const auto betas = std::make_tuple(spec.beta1, spec.beta2);
  switch (spec.kind) {
    case OptimizerSpec::Kind::sgd:
      return std::make_unique<torch::optim::SGD>(parameters, torch::optim::SGDOptions(spec.learning_rate)
                                                                 .momentum(spec.momentum)
                                                                 .nesterov(spec.nesterov)
                                                                 .weight_decay(spec.weight_decay));
    case OptimizerSpec::Kind::adam:
      return std::make_unique<torch::optim::Adam>(
          parameters,
          torch::optim::AdamOptions(spec.learning_rate).betas(betas).eps(spec.epsilon).weight_decay(spec.weight_decay));
    case OptimizerSpec::Kind::adamw: break;
  }
  const auto options = [&](double decay) {
    return torch::optim::AdamWOptions(spec.learning_rate).betas(betas).eps(spec.epsilon).weight_decay(decay);
  };
  std::vector<torch::optim::OptimizerParamGroup> groups;
  for (const bool decays : {true, false}) {
    std::vector<at::Tensor> chosen;
    std::ranges::copy_if(parameters, std::back_inserter(chosen),
                         [&](const at::Tensor& parameter) { return (parameter.dim() > 1) == decays; });
    if (chosen.empty()) continue;
    groups.emplace_back(chosen, std::make_unique<torch::optim::AdamWOptions>(options(decays ? spec.weight_decay : 0)));
  }
  return std::make_unique<torch::optim::AdamW>(groups, options(spec.weight_decay));
}

void set_learning_rate(torch::optim::Optimizer& optimizer, double learning_rate) {
  for (auto& group : optimizer.param_groups()) group.options().set_lr(learning_rate);
}

double schedule_factor(const ScheduleSpec& spec, std::int64_t step, std::int64_t steps, std::int64_t epoch) {
  const double rise = step < spec.warm_up ? double(step + 1) / double(spec.warm_up) : 1;
  const double done = std::min(double(step) / double(std::max<std::int64_t>(steps, 1)), 1.0);
  switch (spec.kind) {
    case ScheduleSpec::Kind::constant: return rise;
    case ScheduleSpec::Kind::polynomial: return rise * std::pow(1 - done, spec.power);
    case ScheduleSpec::Kind::cosine: return rise * 0.5 * (1 + std::cos(std::numbers::pi * done));
    case ScheduleSpec::Kind::step: break;
  }
  const auto epochs = step / std::max<std::int64_t>(epoch, 1);
  return rise * std::pow(spec.factor, double(epochs / spec.every_epochs));
}

}  // namespace ichdet::train
