#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace ichdet {
class Network;
}

namespace ichdet::models {

/// The names that `create` knows.
std::vector<std::string> architectures();

/// A network of random weights, in evaluation mode. `options` are those of the family's Options struct, an object.
/// Throws Error(weights) that starts with `subject`, for a name or an option that there is not.
std::shared_ptr<Network> create(const std::string& architecture, const nlohmann::json& options,
                                const std::string& subject);

}  // namespace ichdet::models
