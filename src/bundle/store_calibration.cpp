#include "ichdet/bundle/store_calibration.hpp"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

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

void write_text(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out) throw Error(ErrorCode::io, file.string() + ": cannot be written");
}

/// What could not be made whole is taken away again.
template <class Make>
void complete_or_nothing(const fs::path& copy, Make&& make) {
  try {
    make();
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(copy, ignored);
    throw;
  }
}

}  // namespace

void copy_calibrated_bundle(const fs::path& bundle, const fs::path& copy, const ensemble::Calibration& calibration,
                            std::optional<double> threshold) {
  open_bundle(bundle);
  std::error_code failed;
  if (fs::exists(copy, failed) && !fs::is_empty(copy, failed)) {
    throw Error(ErrorCode::io, copy.string() + ": exists and is not empty; a bundle needs a folder of its own");
  }
  auto spec = nlohmann::json::parse(read_text(bundle / "bundle.json"));
  auto& stored = spec["calibration"];
  if (!stored.is_object()) stored = nlohmann::json::object();
  stored.update(to_json(calibration));
  if (threshold) {
    if (!spec["thresholds"].is_object()) spec["thresholds"] = nlohmann::json::object();
    spec["thresholds"]["study"] = *threshold;
  }
  complete_or_nothing(copy, [&] {
    fs::create_directories(copy, failed);
    fs::copy(bundle, copy, fs::copy_options::recursive | fs::copy_options::overwrite_existing, failed);
    if (failed) throw Error(ErrorCode::io, copy.string() + ": cannot be written: " + failed.message());
    write_text(copy / "bundle.json", spec.dump(2) + "\n");
    open_bundle(copy);
  });
}

void copy_calibrated_ensemble(const fs::path& file, const fs::path& copy, const ensemble::Calibration& calibration,
                              std::optional<double> threshold) {
  const auto spec = read_ensemble(file);
  if (!spec.calibration.empty() || !spec.thresholds.empty()) {
    throw Error(ErrorCode::options, file.string() +
                                        ": expected no calibration and no thresholds, which would be given "
                                        "twice; take them out first");
  }
  auto text = read_text(file);
  if (!text.ends_with('\n')) text += '\n';
  text += "calibration: " + to_json(calibration).dump() + "\n";
  if (threshold) text += "thresholds: " + nlohmann::json{{"study", *threshold}}.dump() + "\n";
  complete_or_nothing(copy, [&] {
    write_text(copy, text);
    if (!read_ensemble(copy).calibration.empty()) return;
    throw Error(
        ErrorCode::weights,
        file.string() + ": expected each key of the ensemble on a line of its own, for more to be put at the end");
  });
}

}  // namespace ichdet
