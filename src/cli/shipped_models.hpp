#pragma once

#include <string>

#include "commands.hpp"

namespace ichdet::cli {

/// `ichdet models show NAME`.
void show_shipped(const std::string& name, const Context& context);

}  // namespace ichdet::cli
