#pragma once

#include <pybind11/pybind11.h>

#include <filesystem>
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

/// `ichdet.nn.Network`: a module, and what was last made of it for inference.
class Network {
 public:
  Network(std::shared_ptr<ichdet::Network> module, const std::string& precision, const std::string& engine, int threads)
      : module_(std::move(module)) {
    prepare(precision, engine, threads);
  }

  void prepare(const std::string& precision, const std::string& engine, int threads) {
    options_.precision = parse_precision(precision);
    options_.engine = parse_engine(engine);
    options_.threads = threads;
    remake();
  }
  std::vector<std::string> load_state_dict(const std::filesystem::path& file, bool adapt) {
    const auto fit = adapt ? models::Fit::adapted : models::Fit::exact;
    const auto notes = unlocked([&] { return models::load_weights(*module_, read_state_dict(file), fit); });
    remake();
    return notes;
  }
  void reset_classifier(std::int64_t num_classes) {
    as<models::Classifier>("last layer").reset_classifier(num_classes);
    remake();
  }

  const PreparedNetwork& prepared() const { return *prepared_; }
  /// The part up to the features, prepared at the first call.
  PreparedNetwork prepared_features() {
    if (!features_) {
      const auto features = [module = module_.get()](const at::Tensor& x) { return module->forward_features(x); };
      features_ = unlocked([&] { return ichdet::prepare(module_, features, options_); });
    }
    return *features_;
  }
  ichdet::Network& module() const { return *module_; }
  const std::shared_ptr<ichdet::Network>& shared() const { return module_; }
  template <class Family>
  Family& as(const char* what) const {
    if (auto* family = dynamic_cast<Family*>(module_.get())) return *family;
    throw Error(ErrorCode::options, module_->name() + " has no " + what);
  }

 private:
  void remake() {
    prepared_ = unlocked([&] { return ichdet::prepare(module_, options_); });
    features_.reset();
  }

  std::shared_ptr<ichdet::Network> module_;
  PrepareOptions options_;
  std::optional<PreparedNetwork> prepared_, features_;
};

}  // namespace ichdet::python
