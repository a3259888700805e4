#include "write_text.hpp"

#include <fstream>

#include "ichdet/core/error.hpp"

namespace ichdet::pipeline {

void write_text(const std::filesystem::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  if (!out) throw Error(ErrorCode::io, file.string() + ": cannot be written");
}

}  // namespace ichdet::pipeline
