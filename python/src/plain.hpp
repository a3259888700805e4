#pragma once

#include <memory>

#include "network.hpp"

namespace ichdet::python {

/// A module of LibTorch's front end as `ichdet.nn.Module` sees it: parameters and buffers of its own, and its children.
struct Part {
  std::shared_ptr<torch::nn::Module> module;
};

/// The whole network.
struct Plain : Part {
  Plain(std::shared_ptr<ichdet::Network> made, Architecture what)
      : Part{made}, network(std::move(made)), architecture(std::move(what)) {}

  std::shared_ptr<ichdet::Network> network;
  Architecture architecture;
};

}  // namespace ichdet::python
