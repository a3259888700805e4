#pragma once

#include <c10/util/Exception.h>
#include <pybind11/pybind11.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "ichdet/core/error.hpp"
#include "ichdet/models/classifier.hpp"
#include "ichdet/models/load_weights.hpp"
#include "ichdet/nn/network.hpp"
#include "ichdet/nn/prepare.hpp"

namespace ichdet::python {

namespace py = pybind11;

/// Without the interpreter's lock.
template <class Body>
auto unlocked(Body&& body) {
  const py::gil_scoped_release released;
  return body();
}

/// LibTorch's exceptions as ours.
template <class Body>
auto guarded(Body&& body) {
  try {
    return body();
  } catch (const c10::Error& e) {
    throw Error(ErrorCode::shape, std::string("network: ") + e.what_without_backtrace());
  }
}

/// What `models::create` makes a network of; without a name where something else made it.
struct Architecture {
  std::string name;
  nlohmann::json options = nlohmann::json::object();
};

/// `ichdet.nn.Network`: a module, and what was last made of it for inference.
class Network {
 public:
  Network(std::shared_ptr<ichdet::Network> module, Architecture architecture, PrepareOptions options)
      : module_(std::move(module)), architecture_(std::move(architecture)), options_(std::move(options)) {
    remake();
  }

  void prepare(PrepareOptions options) {
    options_ = std::move(options);
    remake();
  }
  std::vector<std::string> load_state_dict(StateDict weights, bool adapt) {
    const auto fit = adapt ? models::Fit::adapted : models::Fit::exact;
    const auto notes = unlocked([&] { return models::load_weights(*module_, std::move(weights), fit); });
    remake();
    return notes;
  }
  void reset_classifier(std::int64_t num_classes) {
    as<models::Classifier>("last layer").reset_classifier(num_classes);
    architecture_.options["num_classes"] = num_classes;
    remake();
  }

  /// Throws Error(options) where the weights are others than those it was made of, or the module is in training.
  const PreparedNetwork& prepared() const {
    expect_unchanged();
    return *prepared_;
  }
  /// The part up to the features, prepared at the first call.
  PreparedNetwork prepared_features() {
    expect_unchanged();
    if (!features_) {
      const auto features = [module = module_.get()](const at::Tensor& x) { return module->forward_features(x); };
      features_ = unlocked([&] { return ichdet::prepare(module_, features, options_); });
    }
    return *features_;
  }
  ichdet::Network& module() const { return *module_; }
  const std::shared_ptr<ichdet::Network>& shared() const { return module_; }
  const Architecture& architecture() const { return architecture_; }
  template <class Family>
  Family& as(const char* what) const {
    if (auto* family = dynamic_cast<Family*>(module_.get())) return *family;
    throw Error(ErrorCode::options, module_->name() + " has no " + what);
  }

 private:
  void remake() {
    prepared_ = unlocked([&] { return ichdet::prepare(module_, options_); });
    features_.reset();
    weights_ = module_->parameters();
    const auto buffers = module_->buffers();
    weights_.insert(weights_.end(), buffers.begin(), buffers.end());
    state_ = state();
  }
  /// Where the weights lie and how often they were written to, in a number.
  std::uint64_t state() const {
    std::uint64_t number = 0;
    for (const auto& tensor : weights_) {
      const auto place = reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr());
      number = (number ^ (place + (tensor.is_inference() ? 0 : tensor._version()))) * 0x100000001b3;
    }
    return number;
  }
  void expect_unchanged() const {
    if (module_->is_training()) {
      throw Error(ErrorCode::options, module_->name() + " is in training mode; call eval() first");
    }
    if (state() != state_) {
      throw Error(ErrorCode::options,
                  module_->name() + ": the weights have changed since the network was prepared; call prepare() again");
    }
  }

  std::shared_ptr<ichdet::Network> module_;
  Architecture architecture_;
  PrepareOptions options_;
  std::optional<PreparedNetwork> prepared_, features_;
  std::vector<at::Tensor> weights_;  ///< parameters and buffers
  std::uint64_t state_ = 0;          ///< of these, when it was prepared
};

}  // namespace ichdet::python
