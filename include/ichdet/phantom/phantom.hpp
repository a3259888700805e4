#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ichdet/core/progress.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/phantom/anatomy.hpp"
#include "ichdet/phantom/hemorrhage.hpp"

namespace ichdet {

/// What head to make, and how to scan it.
struct PhantomOptions {
  std::uint64_t seed = 0;  ///< of the head's shape, its pose and the noise
  std::int64_t rows = 512, columns = 512;
  double pixel_mm = 0.45;
  std::int64_t slices = 32;
  double thickness_mm = 5;  ///< of each slice, and their distance
  std::vector<double>
      offsets_mm;  ///< explicit positions along the normal, increasing; empty: `slices` at `thickness_mm`
  std::vector<double> thicknesses_mm;  ///< with `offsets_mm`: one for each; empty: all `thickness_mm`
  double tilt_degrees = 0;             ///< of the gantry; the head's chin is turned with it, as radiographers do
  double noise_hu = 3.5;               ///< standard deviation in brain
  double blur_mm = 1.1;                ///< full width at half maximum of the kernel's in-plane spread
  std::optional<float> padding_hu;     ///< value outside the circular field of view, marked as padding; none: air
  bool table = true;                   ///< head holder and table
  double atrophy = -1;                 ///< 0 (young) to 1 (wide sulci and ventricles); negative: drawn from the seed
  bool mass_effect = true;             ///< intraparenchymal and extra-axial blood pushes the brain aside
  int subsamples = 5;                  ///< planes averaged through each slice
  std::vector<Hemorrhage> hemorrhages;
  int threads = 0;  ///< 0: as many as the machine has; the result does not depend on it
};

/// A head CT made of formulas, with the truth beside it.
struct PhantomStudy {
  SliceStack stack;  ///< HU are integers, as a scanner stores them, in [-1024, 3071] (or the padding value)
  SliceLabels truth;
  std::vector<PaintedHemorrhage> placed;
  HeadAnatomy anatomy;
};

/// Makes a head CT: skin, fat, muscle, skull with tables and diploe, air sinuses, mastoid cells, orbits, grey and white
/// matter, deep nuclei, ventricles, cisterns, sulci, falx, tentorium, venous sinuses, calcifications, head holder;
/// averaged through each slice, blurred by the kernel, with correlated noise.
///
/// The same options give the same bytes on any number of threads. Throws Error(options) where a setting makes no sense
/// or a hemorrhage does not fit.
PhantomStudy make_phantom(const PhantomOptions& options = {}, const Progress& progress = {});

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/phantom/phantom_inl.hpp"
#endif
