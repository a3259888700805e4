#pragma once

#include <vector>

#include "ichdet/bundle/spec.hpp"
#include "json_node.hpp"

namespace ichdet::bundle {

/// A list of {name, blood}: 2 to 256 of them, of different names.
std::vector<ClassSpec> parse_classes(const Node& node);

}  // namespace ichdet::bundle
