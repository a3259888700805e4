#include "ichdet/pipeline/write_classification.hpp"

#include <fstream>
#include <system_error>

#include "ichdet/core/error.hpp"
#include "ichdet/report/json.hpp"

namespace ichdet {

namespace fs = std::filesystem;

void write_classification(const SliceStack& stack, const StudyResult& result, std::span<const SliceMap> maps,
                          const fs::path& folder, const ClassificationOptions& options) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) throw Error(ErrorCode::io, folder.string() + ": cannot be made: " + failure.message());
  for (const char* name : {"result.json", "slices.csv"}) fs::remove(folder / name, failure);
  io::write_png(folder / "figure.png", render_classification(stack, result, maps, options));
  if (!result.slices.empty()) {
    std::ofstream table(folder / "slices.csv", std::ios::binary);
    table << slice_table(result);
    table.close();
    if (!table) throw Error(ErrorCode::io, (folder / "slices.csv").string() + ": cannot be written");
  }
  write_result(folder / "result.json", result);
}

}  // namespace ichdet
