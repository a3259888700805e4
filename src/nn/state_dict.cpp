#include "ichdet/nn/state_dict.hpp"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "ichdet/core/error.hpp"
#include "torch_file.hpp"

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

at::ScalarType scalar_type(DType stored) {
  switch (stored) {
    case DType::f32: return at::kFloat;
    case DType::bf16: return at::kBFloat16;
    case DType::f16: return at::kHalf;
    case DType::i64: return at::kLong;
    default:
      throw Error::mismatch(ErrorCode::options, "dtype of weights", "F32, BF16 or F16", std::string(to_string(stored)));
  }
}

auto parameters_and_buffers(const torch::nn::Module& module) {
  auto all = module.named_parameters(/*recurse=*/true);
  for (const auto& buffer : module.named_buffers(/*recurse=*/true)) all.insert(buffer.key(), buffer.value());
  return all;
}

}  // namespace

StateDict to_state_dict(const SafeTensors& weights) {
  StateDict dict;
  dict.source = weights.file().string();
  for (const auto& [name, view] : weights.tensors()) dict.tensors.emplace(name, to_tensor(view));
  return dict;
}

StateDict read_state_dict(const std::filesystem::path& file) {
  if (nn::is_torch_file(file)) return nn::read_torch_file(file);
  return to_state_dict(SafeTensors(file));
}

void save_state_dict(const torch::nn::Module& module, const std::filesystem::path& file, DType dtype) {
  static_assert(std::endian::native == std::endian::little);
  struct Item {
    std::string name;
    DType type;
    at::Tensor values;
  };
  std::vector<Item> items;
  for (const auto& entry : parameters_and_buffers(module)) {
    const auto tensor = entry.value().detach().cpu().contiguous();
    const auto type = tensor.scalar_type() == at::kLong ? DType::i64 : tensor.dim() < 2 ? DType::f32 : dtype;
    items.push_back({entry.key(), type, tensor.to(scalar_type(type))});
  }
  // The widest first: so each begins at a multiple of its own size.
  std::ranges::stable_sort(items, std::greater(), [](const Item& item) { return byte_size(item.type); });
  nlohmann::json header = nlohmann::json::object();
  std::size_t end = 0;
  for (const auto& [name, type, values] : items) {
    const auto begin = end;
    end += values.nbytes();
    header[name] = {{"dtype", to_string(type)}, {"shape", values.sizes().vec()}, {"data_offsets", {begin, end}}};
  }
  auto text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(&length), sizeof length);
  out << text;
  for (const auto& item : items) {
    out.write(static_cast<const char*>(item.values.data_ptr()), std::streamsize(item.values.nbytes()));
  }
  if (!out.flush()) throw Error(ErrorCode::io, file.string() + ": cannot be written");
}

void load_state_dict(torch::nn::Module& module, const SafeTensors& weights) {
  load_state_dict(module, to_state_dict(weights));
}

void load_state_dict(torch::nn::Module& module, const StateDict& weights) {
  const auto targets = parameters_and_buffers(module);
  std::vector<std::string> missing, unexpected, misshapen;
  for (const auto& target : targets) {
    const auto found = weights.tensors.find(target.key());
    if (found == weights.tensors.end()) {
      if (!target.key().ends_with("num_batches_tracked")) missing.push_back(target.key());
    } else if (target.value().sizes() != found->second.sizes()) {
      misshapen.push_back(target.key() + " (expected " + shape_text(target.value().sizes()) + ", found " +
                          shape_text(found->second.sizes()) + ")");
    }
  }
  for (const auto& [name, tensor] : weights.tensors) {
    if (!targets.contains(name)) unexpected.push_back(name);
  }
  if (!missing.empty() || !unexpected.empty() || !misshapen.empty()) {
    throw Error(ErrorCode::weights, weights.source + ": does not fit the network" + listing("missing", missing) +
                                        listing("unexpected", unexpected) + listing("misshapen", misshapen));
  }
  const at::NoGradGuard no_grad;
  for (const auto& target : targets) {
    const auto found = weights.tensors.find(target.key());
    if (found == weights.tensors.end()) continue;
    auto value = target.value();
    value.copy_(found->second);
    if (value.is_floating_point()) value.masked_fill_(value.abs() < std::numeric_limits<float>::min(), 0);
  }
}

}  // namespace ichdet
