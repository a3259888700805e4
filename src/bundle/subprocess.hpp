#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ichdet/core/progress.hpp"

namespace ichdet {

struct Exit {
  int code = 0;        ///< 127 where the program could not be started, 128 + signal where one ended it
  std::string output;  ///< stdout and stderr together, the last 4,000 characters
};

/// Runs a program (looked up on PATH) without a shell, with nothing on its standard input. Its output goes to
/// `log`. A stop request ends it.
Exit run(const std::vector<std::string>& command, const std::filesystem::path& log, const std::string& stage,
         const Progress& progress);

}  // namespace ichdet
