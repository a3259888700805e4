#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ichdet::nn {

struct Sequence;
struct Storage;

/// A tensor as torch.save describes it; its numbers lie elsewhere.
struct PickledTensor {
  const Storage* storage = nullptr;
  std::int64_t offset = 0;
  const Sequence *size = nullptr, *stride = nullptr;  ///< tuples of integers
};

/// A name from a Python module, never looked up.
struct Global {
  std::string_view module, name;
};

/// An object of a kind that is not known; nothing of it is kept.
struct Opaque {};

using PickledValue = std::variant<std::monostate, bool, std::int64_t, double, std::string_view, Global, Sequence*,
                                  const Storage*, PickledTensor, Opaque>;

struct Sequence {
  enum Kind { tuple, list, dict } kind;
  std::vector<PickledValue> items;  ///< of a dict: key, value, key, value, ...
};

struct Storage {
  std::string_view type;  ///< "FloatStorage", ...
  std::string_view key;
  std::int64_t elements;
};

/// What a pickle of plain data and tensors holds. Nothing is executed: of Python's pickle format only what builds
/// dicts, lists, tuples, numbers, text and torch's tensors is known.
class Pickle {
 public:
  /// What becomes of other objects. Either way no name in the file is looked up.
  enum class Others {
    refused,
    opaque,  ///< each stands as Opaque, with all that it is made of: a training script's own
  };

  /// Throws Error(weights) that starts with `subject`.
  Pickle(std::string bytes, const std::string& subject, Others others = Others::refused);
  Pickle(const Pickle&) = delete;
  Pickle& operator=(const Pickle&) = delete;

  const PickledValue& value() const noexcept { return value_; }

 private:
  friend class PickleReader;

  std::string bytes_;  ///< text refers to it
  std::deque<Sequence> sequences_;
  std::deque<Storage> storages_;
  PickledValue value_;
};

}  // namespace ichdet::nn
