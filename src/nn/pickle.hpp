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

using PickledValue = std::variant<std::monostate, bool, std::int64_t, double, std::string_view, Global, Sequence*,
                                  const Storage*, PickledTensor>;

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
/// dicts, lists, tuples, numbers, text and torch's tensors is known, all else is refused.
class Pickle {
 public:
  /// Throws Error(weights) that starts with `subject`.
  Pickle(std::string bytes, const std::string& subject);
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
