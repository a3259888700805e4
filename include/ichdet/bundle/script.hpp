#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ichdet/core/progress.hpp"

namespace ichdet {

/// One of the Python scripts that ichdet carries (python/ichdet/convert), for what PyTorch alone can read or write.
struct ScriptCall {
  std::string script;  ///< its name, without ".py"
  std::vector<std::string> arguments;
  std::string need;   ///< "NAME: why a Python with torch is needed"; what errors begin with
  std::string stage;  ///< for progress
  std::string
      python;  ///< that is to run it; empty: the one ichdet was built with, or the one on PATH, whichever has torch
};

/// Runs it in `staging`, an existing folder where it and its log stay, and returns when `result` is there.
/// Throws Error(weights) where no Python with torch is found, or the script fails; Error(cancelled).
void run_script(const ScriptCall& call, const std::filesystem::path& staging, const std::filesystem::path& result,
                const Progress& progress = {});

}  // namespace ichdet
