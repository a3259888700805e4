#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "ichdet/io/png.hpp"
#include "ichdet/train/event_file.hpp"

namespace ichdet::train {

/// A figure at a step of a training.
struct LogRow {
  std::int64_t step = 0;
  double seconds = 0;  ///< of training until then, over all of its sittings
  std::string name;    ///< "train/loss", "select/dice": where it was measured, and what
  double value = 0;    ///< may be NaN
};

/// `metrics.csv` (columns step, seconds, name, value) and TensorBoard's events in one folder. Every row is on disk when
/// the call returns, so that a killed training keeps its log.
class TrainingLog {
 public:
  /// Opens the log of a training that has done `step` steps: 0 begins a new one. Rows of later steps, and a last line
  /// that was cut, are dropped, so that a resumed training's file equals the uninterrupted one's but for the seconds,
  /// which go on from the last row. Throws Error(io) that names file and line where metrics.csv is no log.
  explicit TrainingLog(const std::filesystem::path& folder, std::int64_t step = 0);

  /// Throws Error(options) where `name` is empty or has a comma, a quote or a line end; Error(io).
  void add(std::int64_t step, const std::string& name, double value);
  /// To TensorBoard alone.
  void add_picture(std::int64_t step, const std::string& name, const Image& picture);

  const std::vector<LogRow>& rows() const noexcept { return rows_; }
  /// Of training, in this sitting and those before.
  double seconds() const;

 private:
  std::filesystem::path path_;
  std::vector<LogRow> rows_;
  std::ofstream file_;
  EventFile events_;
  double earlier_seconds_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The rows of a metrics.csv; a last line without its end is passed over. Throws Error(io) that names file and line.
std::vector<LogRow> read_log(const std::filesystem::path& metrics_csv);

}  // namespace ichdet::train
