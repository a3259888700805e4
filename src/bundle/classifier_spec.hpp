#pragma once

#include "ichdet/bundle/spec.hpp"
#include "json_node.hpp"

namespace ichdet::bundle {

/// input, output and decision of a classifier's bundle.json. `spec` has its task and classes.
void parse_classifier(const Node& root, ModelSpec& spec);

}  // namespace ichdet::bundle
