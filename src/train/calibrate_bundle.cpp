#include "ichdet/train/calibrate_bundle.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/store_calibration.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/train/judge.hpp"

namespace ichdet::train {
namespace {

namespace fs = std::filesystem;

constexpr std::ptrdiff_t fewest = 2;

struct Cases {
  std::vector<double> probabilities;
  std::vector<std::uint8_t> truth;

  void add(double probability, std::optional<bool> blood) {
    if (!blood || std::isnan(probability)) return;
    probabilities.push_back(probability);
    truth.push_back(*blood ? 1 : 0);
  }
  bool enough() const {
    const auto with = std::ranges::count(truth, 1);
    return with >= fewest && std::ssize(truth) - with >= fewest;
  }
  ensemble::Calibrator fit(const char* kind) const {
    auto calibrator = ensemble::fit_platt(probabilities, truth);
    calibrator.fitted_on = std::to_string(truth.size()) + " " + kind + " that chose the weights";
    return calibrator;
  }
};

}  // namespace

std::string calibrate_bundle(const fs::path& bundle, const TrainingData& data, int threads, const Progress& progress) {
  const auto spec = open_bundle(bundle).spec;
  if (std::ranges::none_of(spec.classes, &ClassSpec::blood)) return "Not calibrated: none of its classes is blood";
  try {
    require_slices(spec, bundle.string());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::options) throw;
    return "Not calibrated: it tells no slices apart";
  }
  const auto model = uncalibrated(open_model(bundle, threads));
  Cases slices, studies;
  for (const auto& set : data.selection) {
    for (const auto& outcome : judge(model, set, data.preparation, progress).outcomes) {
      for (const auto& slice : outcome.slices) slices.add(slice.probability, slice.blood);
      studies.add(outcome.probability, outcome.blood());
    }
  }
  ensemble::Calibration calibration;
  try {
    if (slices.enough()) calibration.slice = slices.fit("slices");
    if (studies.enough()) calibration.study = studies.fit("studies");
  } catch (const Error& error) {  // as of probabilities that fall where there is blood: the bundle is kept as it is
    if (error.code() != ErrorCode::options) throw;
    return std::string("Not calibrated: ") + error.what();
  }
  if (!calibration.slice && !calibration.study) {
    return "Not calibrated: fewer than 2 slices with blood, or without, in the split that chose the weights";
  }
  auto fitted = bundle;
  fitted += ".calibrated";
  std::error_code failed;
  fs::remove_all(fitted, failed);
  copy_calibrated_bundle(bundle, fitted, calibration, std::nullopt);
  fs::remove_all(bundle);
  fs::rename(fitted, bundle);
  return "Calibrated on " + std::to_string(slices.truth.size()) + " slices" +
         (calibration.study ? " and " + std::to_string(studies.truth.size()) + " studies" : "") +
         " of the split that chose the weights";
}

}  // namespace ichdet::train
