#include "ichdet/bundle/store_calibration.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <system_error>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/calibration.hpp"
#include "ichdet/bundle/ensemble_spec.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error(ErrorCode::io, file.string() + ": cannot be read");
  return {std::istreambuf_iterator<char>(in), {}};
}

Error cannot_write(const fs::path& path, const std::string& why) {
  return {ErrorCode::io, path.string() + ": cannot be written: " + why};
}

/// Creates the file: one that is there is refused.
void write_new(const fs::path& file, const std::string& text) {
  errno = 0;
  std::FILE* out = std::fopen(file.c_str(), "wbx");
  if (out == nullptr) throw cannot_write(file, std::generic_category().message(errno));
  const bool written = std::fwrite(text.data(), 1, text.size(), out) == text.size();
  if (std::fclose(out) == 0 && written) return;
  std::error_code ignored;
  fs::remove(file, ignored);
  throw cannot_write(file, std::generic_category().message(errno));
}

/// Beside the place, until the copy is whole.
fs::path part_of(const fs::path& place) {
  return place.parent_path() / (place.filename().string() + "." + std::to_string(::getpid()) + ".part");
}

void give_name(const fs::path& part, const fs::path& place) {
  std::error_code failed;
  fs::rename(part, place, failed);
  if (failed) throw cannot_write(place, failed.message());
}

bool is_below(const fs::path& path, const fs::path& folder) {
  const auto [rest, unused] = std::ranges::mismatch(folder, path);
  return rest == folder.end();
}

/// A bundle's threshold stays where it was among the raw probabilities.
void move_threshold(nlohmann::json& spec, const ModelSpec& model, const ensemble::Calibrator& calibrator,
                    const fs::path& bundle) {
  const auto old = model.thresholds.find("study");
  if (old == model.thresholds.end()) return;
  if (model.calibration.study || calibrator.method == ensemble::CalibrationMethod::isotonic) {
    throw Error(ErrorCode::options, (bundle / "bundle.json").string() +
                                        ": /thresholds/study: has no equal on the new scale (the bundle was calibrated "
                                        "before, or the fit is isotonic): expected a new threshold");
  }
  spec["thresholds"]["study"] = calibrator(old->second);
}

/// Whether a YAML document is one mapping in braces, behind which nothing can be put.
bool in_braces(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == '#' || line.starts_with("---") || line.starts_with('%')) continue;
    return line[first] == '{';
  }
  return false;
}

/// Without the lines that this file's functions put at the end.
std::string without_lines(const std::string& text, const std::set<std::string>& keys) {
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(": {");
    if (colon == std::string::npos || !keys.contains(line.substr(0, colon))) kept += line + "\n";
  }
  return kept.size() > text.size() ? text : kept;  // a last line without an end stays so
}

void write_ensemble(const fs::path& file, const fs::path& copy, std::string text, const std::string& more) {
  const auto place = check_new_place(copy);
  if (!text.ends_with('\n')) text += '\n';
  if (in_braces(text)) {
    throw Error(
        ErrorCode::weights,
        file.string() + ": expected each key of the ensemble on a line of its own, for more to be put at the end");
  }
  const auto part = part_of(place);
  write_new(part, text + more);
  try {
    read_ensemble(part);
    give_name(part, place);
  } catch (...) {
    std::error_code ignored;
    fs::remove(part, ignored);
    throw;
  }
}

}  // namespace

fs::path check_new_place(const fs::path& copy) {
  auto place = fs::absolute(copy).lexically_normal();
  if (!place.has_filename()) place = place.parent_path();
  std::error_code ignored;
  if (fs::symlink_status(place, ignored).type() == fs::file_type::not_found) return place;
  throw Error(ErrorCode::io, copy.string() + ": is already there: expected a new name");
}

void copy_calibrated_bundle(const fs::path& bundle, const fs::path& copy, const ensemble::Calibration& calibration,
                            std::optional<double> threshold) {
  const auto opened = open_bundle(bundle);
  const auto place = check_new_place(copy);
  if (is_below(fs::weakly_canonical(place), fs::canonical(bundle))) {
    throw Error::mismatch(ErrorCode::options, "the bundle's copy", "a folder outside " + bundle.string(),
                          copy.string());
  }
  auto spec = nlohmann::json::parse(read_text(bundle / "bundle.json"));
  auto& stored = spec["calibration"];
  if (!stored.is_object()) stored = nlohmann::json::object();
  stored.update(to_json(calibration));
  if (threshold) {
    if (!spec["thresholds"].is_object()) spec["thresholds"] = nlohmann::json::object();
    spec["thresholds"]["study"] = *threshold;
  } else if (calibration.study) {
    move_threshold(spec, opened.spec, *calibration.study, bundle);
  }
  const auto part = part_of(place);
  std::error_code failed;
  fs::create_directories(place.parent_path(), failed);
  if (!fs::create_directory(part, failed)) throw cannot_write(part, failed ? failed.message() : "is already there");
  try {
    fs::copy(bundle, part, fs::copy_options::recursive, failed);
    if (failed) throw cannot_write(part, failed.message());
    fs::remove(part / "bundle.json");
    fs::remove(part / "reference_scores.json");  // of the scale that was
    write_new(part / "bundle.json", spec.dump(2) + "\n");
    open_bundle(part);
    give_name(part, place);
  } catch (...) {
    fs::remove_all(part, failed);
    throw;
  }
}

void copy_calibrated_ensemble(const fs::path& file, const fs::path& copy, const ensemble::Calibration& calibration,
                              std::optional<double> threshold) {
  auto text = read_text(file);
  const auto spec = read_ensemble(file);
  const auto rest = parse_ensemble(without_lines(text, {"calibration", "thresholds"}), file.string());
  const bool again = (calibration.study && (spec.calibration.study || (!spec.thresholds.empty() && !threshold))) ||
                     (calibration.slice && spec.calibration.slice) || (calibration.lesion && spec.calibration.lesion);
  if (again || !rest.calibration.empty() || !rest.thresholds.empty()) {
    throw Error(ErrorCode::options, file.string() +
                                        ": expected no calibration and no thresholds, which would be given "
                                        "twice; take them out first");
  }
  auto stored = to_json(spec.calibration);
  stored.update(to_json(calibration));
  auto thresholds = spec.thresholds;
  if (threshold) thresholds["study"] = *threshold;
  std::string more = "calibration: " + stored.dump() + "\n";
  if (!thresholds.empty()) more += "thresholds: " + nlohmann::json(thresholds).dump() + "\n";
  write_ensemble(file, copy, without_lines(text, {"calibration", "thresholds"}), more);
}

void copy_stacked_ensemble(const fs::path& file, const fs::path& copy, const ensemble::SliceRule& rule) {
  const auto spec = read_ensemble(file);
  if (spec.slices || !spec.calibration.empty() || !spec.thresholds.empty()) {
    throw Error(ErrorCode::options, file.string() +
                                        ": expected no slices, calibration and thresholds, which belong to the rule "
                                        "that was there; take them out first");
  }
  write_ensemble(file, copy, read_text(file), "slices: " + to_json(rule).dump() + "\n");
}

}  // namespace ichdet
