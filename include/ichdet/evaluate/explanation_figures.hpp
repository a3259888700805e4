#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/evaluation.hpp"

namespace ichdet::evaluate {

/// What one map of one slice is worth; NaN where it was not measured. Shares are of the image's pixels.
struct MapOutcome {
  std::string study, patient, method;
  std::int64_t slice = 0;
  double probability = undefined;                    ///< of blood, by the model
  double mask_share = undefined;                     ///< of the reference mask
  double pointing = undefined, near = undefined;     ///< pointing_game(), with no tolerance and with one
  double energy = undefined, precision = undefined;  ///< energy_inside(), equal_area()
  double auc = undefined;                            ///< pixel_auc()
  double insertion = undefined, deletion = undefined, information = undefined;  ///< areas under the curves
  double random_weights = undefined;  ///< correlation with the map of the network with random weights
  double seconds = undefined;
};

/// A figure of MapOutcome.
struct MapFigure {
  const char* name;   ///< in files
  const char* title;  ///< in tables
  double MapOutcome::*value;
  int better;  ///< 1: higher, -1: lower, 0: neither
  int decimals;
};
std::span<const MapFigure> map_figures() noexcept;

/// A method's figures: for each of map_figures() the mean over patients of the mean over a patient's slices, with a
/// bootstrap interval that draws patients. Slices and patients for which a figure is NaN are left out of it.
struct MethodFigures {
  std::string method;
  std::int64_t maps = 0, patients = 0;
  std::vector<Estimate> figures;
  /// Mean rank correlation of maps of different patients, in the image's frame: 1 where a method points to the same
  /// place whatever is shown.
  double sameness = undefined;
};

/// Methods in the order in which they first occur. Throws Error(shape) without outcomes, and as bootstrap().
std::vector<MethodFigures> explanation_figures(const std::vector<MapOutcome>& outcomes,
                                               const BootstrapOptions& options = {});

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/explanation_figures_inl.hpp"
#endif
