#pragma once

#include "ichdet/bundle/spec.hpp"
#include "json_node.hpp"

namespace ichdet::bundle {

/// input, patch and procedure of a segmenter's bundle.json. `spec` has its orientation and classes.
void parse_segmenter(const Node& root, ModelSpec& spec);

}  // namespace ichdet::bundle
