#include "graph_call.hpp"

#include <algorithm>

#include "graph_tools.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet::nn {

const torch::jit::Value* GraphCall::value(const std::string& argument) const {
  return node_.hasNamedInput(argument) ? node_.namedInput(argument) : nullptr;
}

std::optional<c10::IValue> GraphCall::find(const std::string& argument) const {
  const auto* found = value(argument);
  if (found == nullptr) return c10::IValue();
  return constant(found);
}

c10::IValue GraphCall::given(const std::string& argument) const {
  const auto found = find(argument);
  require(found && !found->isNone(), argument + (found ? " missing" : " not constant"));
  return *found;
}

bool GraphCall::has(const std::string& argument) const {
  const auto found = find(argument);
  return !found || !(found->isNone() || (found->isTensor() && !found->toTensor().defined()));
}

bool GraphCall::is_tensor(const std::string& argument) const {
  const auto* found = value(argument);
  return found != nullptr && found->type()->cast<c10::TensorType>() != nullptr;
}

std::int64_t GraphCall::dim(const std::string& argument, std::int64_t of) const {
  const auto axis = integer(argument);
  return axis < 0 ? axis + of : axis;
}

std::vector<std::int64_t> GraphCall::integers(const std::string& argument, std::size_t count,
                                              std::int64_t otherwise) const {
  std::vector<std::int64_t> values;
  if (const auto found = find(argument); found && found->isIntList()) values = found->toIntVector();
  if (values.empty()) values = {otherwise};
  if (values.size() == 1) values.resize(count, values.front());
  require(values.size() == count, argument + " of another length");
  return values;
}

std::pair<std::int64_t, std::int64_t> GraphCall::range(std::int64_t length) const {
  if (has("length")) {
    const auto start = integer("start"), first = start < 0 ? start + length : start;
    return {first, first + integer("length")};
  }
  const auto bound = [&](const char* argument, std::int64_t otherwise) {
    const auto given = has(argument) ? integer(argument) : otherwise;
    return std::clamp(given < 0 ? given + length : given, std::int64_t(0), length);
  };
  return {bound("start", 0), bound("end", length)};
}

std::vector<std::int64_t> GraphCall::piece_lengths(std::int64_t length) const {
  if (has("split_sizes")) return integers("split_sizes");
  std::int64_t each = 1;
  if (has("split_size")) each = integer("split_size");
  if (has("chunks")) each = (length + integer("chunks") - 1) / integer("chunks");
  std::vector<std::int64_t> lengths;
  for (auto left = length; left > 0; left -= each) lengths.push_back(std::min(left, each));
  return lengths;
}

std::vector<std::int64_t> GraphCall::result_sizes(std::size_t result) const {
  const auto found = sizes(node_.output(result));
  require(found.has_value(), "a tensor of unknown shape");
  return *found;
}

at::ScalarType GraphCall::result_type() const {
  const auto type = node_.output(0)->type()->expectRef<c10::TensorType>().scalarType();
  require(type.has_value(), "a result of unknown type");
  return *type;
}

void GraphCall::refuse(const std::string& what) const {
  const auto* schema = node_.maybeSchema();
  std::string message = std::string(target_) + ": " + node_.kind().toQualString() + " is not mapped";
  if (!what.empty()) message += " (" + what + ")";
  if (schema != nullptr) message += ": " + c10::str(*schema);
  throw Error(ErrorCode::options, message);
}

}  // namespace ichdet::nn
