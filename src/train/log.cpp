#include "ichdet/train/log.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/csv.hpp"

namespace ichdet::train {

namespace {

namespace fs = std::filesystem;

constexpr const char* header = "step,seconds,name,value\n";

/// As few digits as read back as the same number.
std::string shortest(double value) {
  if (std::isnan(value)) return "nan";  // without the sign that a NaN may have
  char text[32];
  const auto* end = std::to_chars(text, text + sizeof text, value).ptr;
  return std::string(static_cast<const char*>(text), end);
}

std::string line(const LogRow& row) {
  char seconds[32];
  const auto* end = std::to_chars(seconds, seconds + sizeof seconds, row.seconds, std::chars_format::fixed, 2).ptr;
  return std::to_string(row.step) + ',' + std::string(static_cast<const char*>(seconds), end) + ',' + row.name + ',' +
         shortest(row.value) + '\n';
}

template <class T>
T number(const evaluate::CsvTable& table, const evaluate::CsvTable::Row& row, std::size_t column) {
  const auto& cell = row.cells[column];
  T value{};
  const auto [end, failure] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (failure != std::errc() || end != cell.data() + cell.size()) {
    throw Error::mismatch(ErrorCode::io, table.place(row, column), "a number", cell);
  }
  return value;
}

}  // namespace

std::vector<LogRow> read_log(const fs::path& metrics_csv) {
  std::ifstream file(metrics_csv, std::ios::binary);
  std::ostringstream all;
  all << file.rdbuf();
  if (!file) throw Error(ErrorCode::io, metrics_csv.string() + ": cannot be read");
  auto text = all.str();
  text.erase(text.find_last_of('\n') + 1);
  const auto table = evaluate::parse_csv(text, metrics_csv.string());
  if (table.columns != std::vector<std::string>{"step", "seconds", "name", "value"}) {
    throw Error(ErrorCode::io, metrics_csv.string() + ", line 1: expected the columns step,seconds,name,value");
  }
  std::vector<LogRow> rows;
  for (const auto& row : table.rows) {
    rows.push_back({number<std::int64_t>(table, row, 0), number<double>(table, row, 1), row.cells[2],
                    number<double>(table, row, 3)});
  }
  return rows;
}

TrainingLog::TrainingLog(const fs::path& folder, std::int64_t step)
    : path_(folder / "metrics.csv"), events_(folder, step > 0 ? step + 1 : 0) {
  if (step > 0 && fs::exists(path_)) rows_ = read_log(path_);
  std::erase_if(rows_, [step](const LogRow& row) { return row.step > step; });
  if (!rows_.empty()) earlier_seconds_ = rows_.back().seconds;
  const auto part = fs::path(path_).concat(".part");
  {
    std::ofstream kept(part, std::ios::binary);
    kept << header;
    for (const auto& row : rows_) kept << line(row);
    if (!kept.flush()) throw Error(ErrorCode::io, part.string() + ": cannot be written");
  }
  std::error_code failed;
  fs::rename(part, path_, failed);
  file_.open(path_, std::ios::binary | std::ios::app);
  if (failed || !file_) throw Error(ErrorCode::io, path_.string() + ": cannot be written");
}

void TrainingLog::add(std::int64_t step, const std::string& name, double value) {
  if (name.empty() || name.find_first_of(",\"\r\n") != name.npos) {
    throw Error::mismatch(ErrorCode::options, "name of a figure in the log", "letters without comma, quote or line end",
                          name);
  }
  rows_.push_back({step, seconds(), name, value});
  file_ << line(rows_.back()) << std::flush;
  if (!file_) throw Error(ErrorCode::io, path_.string() + ": cannot be written");
  events_.scalar(step, name, value);
}

void TrainingLog::add_picture(std::int64_t step, const std::string& name, const Image& picture) {
  events_.picture(step, name, picture);
}

double TrainingLog::seconds() const {
  return earlier_seconds_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

}  // namespace ichdet::train
