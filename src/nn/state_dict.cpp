#include "ichdet/nn/state_dict.hpp"

#include <torch/nn/module.h>

#include <cstring>
#include <sstream>

#include "ichdet/core/error.hpp"

namespace ichdet {
namespace {

std::string shape_text(at::IntArrayRef shape) {
  std::ostringstream text;
  text << shape;
  return text.str();
}

std::string listing(const char* what, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  constexpr std::size_t shown = 8;
  std::string text = "; " + std::to_string(names.size()) + " " + what + ": ";
  for (std::size_t i = 0; i < std::min(shown, names.size()); ++i) text += (i ? ", " : "") + names[i];
  return text + (names.size() > shown ? ", ..." : "");
}

at::Tensor to_tensor(const TensorView& view) {
  if (view.dtype == DType::i64) {
    auto tensor = at::empty(view.shape, at::kLong);
    std::memcpy(tensor.data_ptr(), view.bytes.data(), view.bytes.size());
    return tensor;
  }
  const auto values = view.to_float32();
  return at::from_blob(const_cast<float*>(values.data()), view.shape, at::kFloat).clone();
}

}  // namespace

void load_state_dict(torch::nn::Module& module, const SafeTensors& weights) {
  auto targets = module.named_parameters(/*recurse=*/true);
  for (const auto& buffer : module.named_buffers(/*recurse=*/true)) targets.insert(buffer.key(), buffer.value());

  std::vector<std::string> missing, unexpected, misshapen;
  for (const auto& target : targets) {
    const auto found = weights.tensors().find(target.key());
    if (found == weights.tensors().end()) {
      missing.push_back(target.key());
    } else if (target.value().sizes() != at::IntArrayRef(found->second.shape)) {
      misshapen.push_back(target.key() + " (expected " + shape_text(target.value().sizes()) + ", found " +
                          shape_text(found->second.shape) + ")");
    }
  }
  for (const auto& [name, view] : weights.tensors()) {
    if (!targets.contains(name)) unexpected.push_back(name);
  }
  if (!missing.empty() || !unexpected.empty() || !misshapen.empty()) {
    throw Error(ErrorCode::weights, weights.file().string() + ": does not fit the network" +
                                        listing("missing", missing) + listing("unexpected", unexpected) +
                                        listing("misshapen", misshapen));
  }
  const at::NoGradGuard no_grad;
  for (auto& target : targets) target.value().copy_(to_tensor(weights.tensors().at(target.key())));
}

}  // namespace ichdet
