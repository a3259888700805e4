#pragma once

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/io/study.hpp"

// What several commands share: options of one name, meaning and help, and their tables.
namespace ichdet::cli {

/// Numbers from `low` to `high`, which `words` says. CLI11's own checks let NaN pass, and their refusals print bounds
/// such as the largest double with all of its digits.
inline CLI::Validator number_from(double low, double high, const std::string& words) {
  return CLI::Validator(
      [=](std::string& text) {
        char* end = nullptr;
        const double value = std::strtod(text.c_str(), &end);
        const bool good = !text.empty() && *end == '\0' && value >= low && value <= high;
        return good ? std::string() : "expected " + words + ", found " + text;
      },
      "");
}

inline CLI::Validator zero_or_more() {
  return number_from(0, std::numeric_limits<double>::max(), "a number from 0 on");
}

inline CLI::Validator above_zero() {
  return number_from(std::numeric_limits<double>::min(), std::numeric_limits<double>::max(), "a number above 0");
}

inline void add_threads(CLI::App& command, int& threads) {
  command.add_option("--threads", threads, "0: as many as the machine has")
      ->check(number_from(0, 1024, "0 to 1024"))
      ->capture_default_str();
}

/// Which series of INPUT, and how it is read.
inline void add_study_options(CLI::App& command, io::StudyOptions& study) {
  command.add_option("--series", study.series_uid,
                     "SeriesInstanceUID, where the folder holds several (see `ichdet info`)");
  command.add_flag("--allow-gaps", study.allow_gaps, "Read the series even where a slice seems to be missing");
  command.add_option("--slice-thickness", study.slice_thickness_mm, "Of a single slice, in mm, instead of the file's")
      ->check(above_zero());
  command.add_flag_callback(
      "--keep-wrapped-12bit", [&study] { study.repair_wrapped_12bit = false; },
      "Do not mend slices as RSNA 2019 has them (12 bits, unsigned, intercept above -100)");
}

inline void add_output_flags(CLI::App& command, Context& context, const std::string& json) {
  command.add_flag("--json", context.json, json);
  command.add_flag("-q,--quiet", context.quiet, "Print nothing but errors");
}

/// What a person should know, on stderr.
inline void tell(const std::vector<std::string>& notes, const Context& context) {
  if (context.quiet) return;
  for (const auto& note : notes) std::fprintf(stderr, "%s\n", note.c_str());
}

/// Rows of cells in columns, two blanks apart, on stdout.
inline void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    std::printf("%s\n", line.c_str());
  }
}

/// Before minutes of work, not after them.
inline void check_writable(const std::filesystem::path& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorCode::io, "--out " + folder.string() + ": cannot be written to: " + why);
  };
  if (failure) refuse(failure.message());
  if (::access(folder.c_str(), W_OK | X_OK) != 0) refuse(std::strerror(errno));
}

/// Refuses the name of another kind of file where a folder is meant: it would be made, and be no such file.
inline void check_is_no_other_file(const std::string& output, const std::string& expected) {
  const auto extension = std::filesystem::path(output).extension().string();
  for (const char* other : {".jpg",  ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".svg", ".pdf", ".png", ".dcm",
                            ".nrrd", ".mha",  ".mhd", ".mgz", ".img", ".hdr",  ".nii",  ".gz",  ".zip", ".npy"}) {
    if (extension != other || std::filesystem::is_directory(output)) continue;
    throw Error::mismatch(ErrorCode::options, "OUTPUT", expected, output);
  }
}

}  // namespace ichdet::cli
