#include "blood_labels.hpp"

#include <algorithm>
#include <limits>

#include "ichdet/core/error.hpp"

namespace ichdet::train {

std::string label_key(const std::string& name) { return name == "blood" ? "any" : name; }

void complete(LabelValues& values, const std::string& place) {
  const auto is = [&](std::string_view name, float value) {
    const auto found = values.find(std::string(name));
    return found != values.end() && found->second == value;
  };
  const auto types = std::span(blood_labels).subspan(1);
  for (const auto type : types) {
    if (!is(type, 1)) continue;
    if (is("any", 0)) {
      throw Error::mismatch(ErrorCode::io, place, "no type of blood where \"any\" is 0", std::string(type) + " = 1");
    }
    values["any"] = 1;
  }
  if (is("any", 0)) {
    for (const auto type : types) values[std::string(type)] = 0;
  } else if (std::ranges::all_of(types, [&](auto type) { return is(type, 0); })) {
    values.emplace("any", 0.f);
  }
}

std::vector<std::string> with_any(std::vector<std::string> names) {
  if (std::ranges::find(names, "any", label_key) == names.end()) names.emplace_back("any");
  return names;
}

std::vector<float> in_order(const LabelValues& values, const std::vector<std::string>& names) {
  std::vector<float> result;
  for (const auto& name : names) {
    const auto found = values.find(label_key(name));
    result.push_back(found != values.end() ? found->second : std::numeric_limits<float>::quiet_NaN());
  }
  return result;
}

}  // namespace ichdet::train
