#include "torch_file.hpp"

#include <ATen/Functions.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "ichdet/core/error.hpp"
#include "ichdet/nn/checkpoint.hpp"
#include "pickle.hpp"
#include "printable.hpp"
#include "zip_file.hpp"

namespace ichdet::nn {
namespace {

constexpr std::uint64_t largest_pickle = 16 << 20;
constexpr std::size_t most_axes = 16;
constexpr int deepest = 32;
constexpr std::size_t most_values = 1 << 20;

/// Names for the tensors among other things that a training script saves.
constexpr const char* wrappers[] = {"state_dict", "model_state_dict", "model"};

std::optional<at::ScalarType> scalar_type(std::string_view storage) {
  static const std::map<std::string_view, at::ScalarType> types = {
      {"FloatStorage", at::kFloat},       {"DoubleStorage", at::kDouble}, {"HalfStorage", at::kHalf},
      {"BFloat16Storage", at::kBFloat16}, {"LongStorage", at::kLong},     {"IntStorage", at::kInt},
      {"ShortStorage", at::kShort},       {"CharStorage", at::kChar},     {"ByteStorage", at::kByte}};
  const auto found = types.find(storage);
  return found == types.end() ? std::nullopt : std::optional(found->second);
}

const Sequence* as_dict(const PickledValue& value) {
  const auto* sequence = std::get_if<Sequence*>(&value);
  return sequence != nullptr && (*sequence)->kind == Sequence::dict ? *sequence : nullptr;
}

class TorchFile {
 public:
  explicit TorchFile(const std::filesystem::path& file) : zip_(file), file_(file.string()) {
    for (const auto& [name, entry] : zip_.entries()) {
      if (name.ends_with("/data.pkl")) folder_ = name.substr(0, name.size() - 8);
    }
    if (folder_.empty()) fail("no data.pkl in it: torch.save did not write this archive");
    if (zip_.entries().contains(folder_ + "constants.pkl")) {
      fail("a TorchScript archive; save the network's state_dict() with torch.save");
    }
    const auto order = zip_.entries().find(folder_ + "byteorder");
    if (order != zip_.entries().end() && text(order->second, 16) != "little") fail("its numbers are not little-endian");
  }

  StateDict read() {
    const Pickle pickle(description(), file_);
    StateDict state;
    const auto* dict = as_dict(pickle.value());
    if (dict == nullptr) fail("it holds no dict of tensors");
    for (const auto* wrapper : wrappers) {
      const auto* inner = find(*dict, wrapper);
      if (inner == nullptr) continue;
      dict = inner;
      state.notes.push_back(std::string("took the tensors under \"") + wrapper + "\"");
      break;
    }
    fill(state, *dict);
    return state;
  }

  Checkpoint read_checkpoint(std::string_view weights_key) {
    const Pickle pickle(description(), file_, Pickle::Others::opaque);
    const auto* dict = as_dict(pickle.value());
    const auto* weights = dict != nullptr ? find(*dict, weights_key) : nullptr;
    if (weights == nullptr) fail("it holds no dict of tensors under \"" + std::string(weights_key) + "\"");
    Checkpoint checkpoint;
    fill(checkpoint.weights, *weights);
    std::size_t values = 0;
    for (std::size_t i = 0; i + 1 < dict->items.size(); i += 2) {
      const auto* name = std::get_if<std::string_view>(&dict->items[i]);
      if (name != nullptr && *name != weights_key) {
        checkpoint.values[std::string(*name)] = plain(dict->items[i + 1], 0, values);
      }
    }
    return checkpoint;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw Error(ErrorCode::weights, file_ + ": " + what); }

  std::string description() { return text(zip_.entries().at(folder_ + "data.pkl"), largest_pickle); }

  void fill(StateDict& state, const Sequence& dict) {
    state.source = file_;
    for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const auto* name = std::get_if<std::string_view>(&dict.items[i]);
      if (name == nullptr) fail("a key of its dict is not text");
      const auto clean = printable(*name);
      const auto* tensor = std::get_if<PickledTensor>(&dict.items[i + 1]);
      if (tensor == nullptr) fail(clean + ": expected a tensor, found something else");
      state.tensors[clean] = materialise(*tensor, clean);
    }
  }

  /// Numbers, text and lists and dicts of them; null in place of all else. `values` counts them: what a pickle names
  /// twice is written twice.
  nlohmann::json plain(const PickledValue& value, int depth, std::size_t& values) const {
    if (depth > deepest || ++values > most_values) fail("its description is nested too deeply");
    if (const auto* truth = std::get_if<bool>(&value)) return *truth;
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
    if (const auto* real = std::get_if<double>(&value)) return *real;
    if (const auto* words = std::get_if<std::string_view>(&value)) return printable(*words);
    const auto* sequence = std::get_if<Sequence*>(&value);
    if (sequence == nullptr) return nullptr;
    const auto& items = (*sequence)->items;
    if ((*sequence)->kind != Sequence::dict) {
      auto list = nlohmann::json::array();
      for (const auto& item : items) list.push_back(plain(item, depth + 1, values));
      return list;
    }
    auto dict = nlohmann::json::object();
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      const auto* name = std::get_if<std::string_view>(&items[i]);
      if (name != nullptr) dict[printable(*name)] = plain(items[i + 1], depth + 1, values);
    }
    return dict;
  }

  std::string text(const ZipFile::Entry& entry, std::uint64_t most) {
    if (entry.size > most) fail("its description is larger than " + std::to_string(most >> 20) + " MiB");
    std::string bytes(entry.size, '\0');
    zip_.read(entry, bytes.data());
    return bytes;
  }

  static const Sequence* find(const Sequence& dict, std::string_view key) {
    for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const auto* name = std::get_if<std::string_view>(&dict.items[i]);
      if (name != nullptr && *name == key) return as_dict(dict.items[i + 1]);
    }
    return nullptr;
  }

  /// The whole storage, one axis. Together they are at most as large as the file.
  const at::Tensor& load(const Storage& storage, const std::string& name) {
    auto& loaded = storages_[std::string(storage.key)];
    const auto type = scalar_type(storage.type);
    if (!type) fail(name + ": a tensor of " + printable(storage.type) + ", which is not known");
    const auto entry = zip_.entries().find(folder_ + "data/" + std::string(storage.key));
    if (entry == zip_.entries().end()) fail(name + ": its numbers are missing");
    const auto bytes = entry->second.size;
    if (storage.elements < 0 || bytes / c10::elementSize(*type) != std::uint64_t(storage.elements) ||
        bytes % c10::elementSize(*type) != 0) {
      fail(name + ": expected " + std::to_string(storage.elements) + " numbers, found " + std::to_string(bytes) +
           " bytes");
    }
    if (loaded.defined() && loaded.scalar_type() == *type) return loaded;
    if (loaded.defined()) fail(name + ": its numbers are also another tensor's, of another type");
    if (bytes > std::filesystem::file_size(zip_.file()) - loaded_bytes_) fail("its tensors overlap");
    loaded = at::empty({storage.elements}, *type);
    zip_.read(entry->second, loaded.data_ptr());
    loaded_bytes_ += bytes;
    return loaded;
  }

  std::vector<std::int64_t> integers(const Sequence& sequence, const std::string& name) const {
    if (sequence.items.size() > most_axes) fail(name + ": more than 16 axes");
    std::vector<std::int64_t> values;
    for (const auto& item : sequence.items) {
      const auto* value = std::get_if<std::int64_t>(&item);
      if (value == nullptr || *value < 0) fail(name + ": its size is no tuple of numbers");
      values.push_back(*value);
    }
    return values;
  }

  at::Tensor materialise(const PickledTensor& pickled, const std::string& name) {
    const auto& storage = load(*pickled.storage, name);
    const auto size = integers(*pickled.size, name), stride = integers(*pickled.stride, name);
    if (size.size() != stride.size() || pickled.offset < 0) fail(name + ": its size and strides contradict each other");
    const auto room = storage.numel();
    const bool empty = std::find(size.begin(), size.end(), 0) != size.end();
    std::int64_t last = pickled.offset, count = 1;
    for (std::size_t axis = 0; axis < size.size(); ++axis) {
      std::int64_t reach = 0;
      if (__builtin_mul_overflow(count, std::max<std::int64_t>(size[axis], 1), &count)) {
        fail(name + ": it is larger than its numbers");
      }
      if (empty) continue;
      if (__builtin_mul_overflow(size[axis] - 1, stride[axis], &reach) || __builtin_add_overflow(last, reach, &last) ||
          last >= room || count > room) {
        fail(name + ": it is larger than its numbers");
      }
    }
    if (!empty && last >= room) fail(name + ": it is larger than its numbers");
    return empty ? at::empty(size, storage.options()) : storage.as_strided(size, stride, pickled.offset);
  }

  ZipFile zip_;
  std::string file_, folder_;
  std::map<std::string, at::Tensor> storages_;
  std::uint64_t loaded_bytes_ = 0;
};

void strip_data_parallel(StateDict& state) {
  const std::string prefix = "module.";
  for (const auto& [name, tensor] : state.tensors) {
    if (!name.starts_with(prefix)) return;
  }
  std::map<std::string, at::Tensor> stripped;
  for (auto& [name, tensor] : state.tensors) stripped[name.substr(prefix.size())] = tensor;
  if (!stripped.empty()) state.notes.emplace_back("dropped \"module.\" from all names");
  state.tensors = std::move(stripped);
}

void expect_zip(const std::filesystem::path& file) {
  if (is_zip(file)) return;
  throw Error(ErrorCode::weights,
              file.string() +
                  ": a pickle, as torch.save wrote before PyTorch 1.6, which is not read: save it again, in " +
                  "Python with torch.save(torch.load(file, map_location='cpu', weights_only=True), new_file)");
}

}  // namespace

bool is_torch_file(const std::filesystem::path& file) {
  if (is_zip(file)) return true;
  std::array<char, 2> start{};
  std::ifstream(file, std::ios::binary).read(start.data(), start.size());
  return start[0] == '\x80' && start[1] > 0 && start[1] <= 5;
}

StateDict read_torch_file(const std::filesystem::path& file) {
  expect_zip(file);
  auto state = TorchFile(file).read();
  strip_data_parallel(state);
  return state;
}

}  // namespace ichdet::nn

namespace ichdet {

Checkpoint read_checkpoint(const std::filesystem::path& file, const std::string& weights_key) {
  nn::expect_zip(file);
  auto checkpoint = nn::TorchFile(file).read_checkpoint(weights_key);
  nn::strip_data_parallel(checkpoint.weights);
  return checkpoint;
}

}  // namespace ichdet
