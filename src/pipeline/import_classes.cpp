#include "import_classes.hpp"

#include <algorithm>

#include "ichdet/core/error.hpp"

namespace ichdet::pipeline {

nlohmann::json classes_of(const std::vector<std::string>& names, const std::vector<std::string>& blood) {
  std::string there;
  for (std::size_t i = 1; i < names.size(); ++i) there += (i > 1 ? ", " : "") + names[i];
  if (blood.empty()) {
    throw Error(ErrorCode::options,
                "--blood: expected the classes that are hemorrhage, which the file does not say; there are: " + there);
  }
  for (const auto& name : blood) {
    if (names.size() < 2 || std::find(names.begin() + 1, names.end(), name) == names.end()) {
      throw Error::mismatch(ErrorCode::options, "--blood", "one of " + there, name);
    }
  }
  auto classes = nlohmann::json::array();
  for (std::size_t i = 0; i < names.size(); ++i) {
    classes.push_back({{"name", names[i]}, {"blood", i > 0 && std::ranges::find(blood, names[i]) != blood.end()}});
  }
  return classes;
}

}  // namespace ichdet::pipeline
