#include "ichdet/bundle/script.hpp"

#include <fstream>

#include "embedded.hpp"
#include "ichdet/core/error.hpp"
#include "subprocess.hpp"

namespace ichdet {
namespace {

std::string last_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  const auto start = text.rfind('\n');
  return start == std::string::npos ? text : text.substr(start + 1);
}

}  // namespace

void run_script(const ScriptCall& call, const std::filesystem::path& staging, const std::filesystem::path& result,
                const Progress& progress) {
  for (const auto& script : embedded::converters) {
    std::ofstream(staging / script.name, std::ios::binary) << script.text;
  }
  std::vector<std::string> candidates{call.python};
  if (call.python.empty()) candidates = {std::string(embedded::python), "python3"};
  std::string tried;
  for (const auto& python : candidates) {
    if (python.empty()) continue;
    std::vector<std::string> command{python, "-B", (staging / (call.script + ".py")).string()};
    command.insert(command.end(), call.arguments.begin(), call.arguments.end());
    const auto exit = run(command, staging / "log", call.stage, progress);
    if (exit.code == 0 && std::filesystem::exists(result)) return;
    const auto torch = run({python, "-c", "import torch"}, staging / "log", call.stage, progress);
    if (torch.code == 0) {
      throw Error(ErrorCode::weights, call.need + ": " + call.script + ".py, run by " + python +
                                          ", failed with exit code " + std::to_string(exit.code) + ": " +
                                          last_line(exit.output));
    }
    tried += (tried.empty() ? "" : "; ") + python + ": " + last_line(torch.output);
  }
  throw Error(ErrorCode::weights, call.need + ". Tried " + tried +
                                      ". Install one (`make setup`, or `pip install torch`) and name it with "
                                      "ICHDET_PYTHON=/path/to/python");
}

}  // namespace ichdet
