#include "read_json.hpp"

#include <fstream>

#include "ichdet/core/error.hpp"

namespace ichdet::pipeline {

nlohmann::json read_json(const std::filesystem::path& file) {
  constexpr std::uintmax_t longest = 64u << 20;
  std::error_code failed;
  const auto size = std::filesystem::file_size(file, failed);
  std::ifstream in(file, std::ios::binary);
  if (failed || !in) throw Error(ErrorCode::io, file.string() + ": cannot be read");
  if (size > longest) throw Error(ErrorCode::limit, file.string() + ": larger than 64 MiB");
  try {
    return nlohmann::json::parse(in);
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorCode::weights, file.string() + ": no valid JSON: " + e.what());
  }
}

}  // namespace ichdet::pipeline
