#include "ichdet/nn/prepare.hpp"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>
#include <torch/nn/module.h>

#include "ichdet/core/error.hpp"
#include "ichdet/models/deepmedic.hpp"
#include "ichdet/nn/denormals.hpp"
#include "prepared_deepmedic.hpp"

namespace ichdet {

Precision parse_precision(const std::string& text) {
  if (text == "float32") return Precision::float32;
  if (text == "bfloat16") return Precision::bfloat16;
  if (text == "adaptive") return Precision::adaptive;
  throw Error::mismatch(ErrorCode::options, "precision", "float32, bfloat16 or adaptive", text);
}

PreparedNetwork::PreparedNetwork(Run run, const PrepareOptions& options)
    : run_(std::make_shared<const Run>(std::move(run))), threads_(options.threads) {}

at::Tensor PreparedNetwork::operator()(const at::Tensor& input) const {
  const c10::InferenceMode no_gradients;
  const InferenceThreads threads(threads_);
  try {
    return (*run_)(input);
  } catch (const c10::Error& e) {
    const std::string what = e.what_without_backtrace();
    const bool memory = what.find("memory") != std::string::npos;
    throw Error(memory ? ErrorCode::limit : ErrorCode::shape, "network: " + what);
  }
}

PreparedNetwork prepare(const torch::nn::Module& module, const PrepareOptions& options) {
  if (options.precision != Precision::float32) {
    throw Error(ErrorCode::options, "precision: only float32 exists yet; bfloat16 and adaptive come with the engine");
  }
  const auto* deepmedic = dynamic_cast<const models::DeepMedicImpl*>(&module);
  if (deepmedic == nullptr)
    throw Error(ErrorCode::options, "prepare: no fast form of " + module.name() + " exists yet");
  const auto prepared = std::make_shared<const nn::PreparedDeepMedic>(*deepmedic);
  return PreparedNetwork([prepared](const at::Tensor& x) { return (*prepared)(x); }, options);
}

}  // namespace ichdet
