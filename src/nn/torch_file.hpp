#pragma once

#include <filesystem>

#include "ichdet/nn/state_dict.hpp"

namespace ichdet::nn {

/// Whether torch.save wrote the file, in whichever form.
bool is_torch_file(const std::filesystem::path& file);

/// See read_state_dict.
StateDict read_torch_file(const std::filesystem::path& file);

}  // namespace ichdet::nn
