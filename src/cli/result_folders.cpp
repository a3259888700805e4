#include "result_folders.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

#include "ichdet/core/error.hpp"
#include "ichdet/report/json.hpp"

namespace ichdet::cli {
namespace {

namespace fs = std::filesystem;

std::string shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::vector<fs::path> results_in(const fs::path& folder) {
  std::vector<fs::path> results;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (fs::exists(entry.path() / "result.json")) results.push_back(entry.path());
  }
  std::ranges::sort(results);
  if (results.empty()) {
    throw Error(ErrorCode::io, folder.string() + ": expected folders with a result.json, one for each study");
  }
  return results;
}

void add_slices(evaluate::CsvTable& table, const fs::path& result) {
  const auto study = result.filename().string();
  auto slices = evaluate::read_csv(result / "slices.csv");
  slices.columns.insert(slices.columns.begin(), "study");
  if (table.columns.empty()) table.columns = slices.columns;
  if (table.columns != slices.columns) {
    throw Error(ErrorCode::io, (result / "slices.csv").string() + ": expected the columns of the other results");
  }
  for (auto& row : slices.rows) {
    row.cells.insert(row.cells.begin(), study);
    table.rows.push_back(std::move(row));
  }
}

void add_study(evaluate::CsvTable& table, const fs::path& result) {
  table.columns = {"study", "probability"};
  const auto decision = read_result(result / "result.json").decision;
  table.rows.push_back(
      {std::int64_t(table.rows.size()) + 2,
       {result.filename().string(), shortest(decision.raw_probability.value_or(decision.probability))}});
}

}  // namespace

evaluate::CsvTable read_predictions(const fs::path& file_or_folder, const std::string& target) {
  std::error_code failed;
  if (!fs::is_directory(file_or_folder, failed)) return evaluate::read_csv(file_or_folder);
  if (target == "lesion") {
    throw Error(ErrorCode::options, "calibrate: --target lesion: expected a CSV file, found a folder");
  }
  evaluate::CsvTable table;
  table.name = file_or_folder.string();
  for (const auto& result : results_in(file_or_folder)) {
    if (target == "slice") {
      add_slices(table, result);
    } else {
      add_study(table, result);
    }
  }
  return table;
}

}  // namespace ichdet::cli
