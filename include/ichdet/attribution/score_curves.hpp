#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "ichdet/attribution/explained.hpp"

/// What a network says of an input of which the important part alone is left, or taken out.
namespace ichdet::attribution {

/// An input whose details are gone: a Gaussian along each axis of its images, in pixels, values beyond the border
/// repeated from it. Inputs are (image, channel, y, x) or (image, channel, z, y, x). Throws Error(shape) for others,
/// Error(options) for a sigma that is not above 0.
at::Tensor blurred(const at::Tensor& input, double sigma);
/// Each channel of each image at its lowest value: air, of a windowed slice.
at::Tensor blank(const at::Tensor& input);

/// A score against the share of pixels that were put in or taken out, ascending from 0 to 1.
struct ScoreCurve {
  std::vector<double> share, score;
  double area = 0;  ///< trapezoids
};

struct ScoreCurveOptions {
  std::int64_t steps = 50;  ///< each takes as many pixels more; points behind the first, where no pixels are equal
};

/// Insertion: pixels of `input` are put into `substitute`, the most important ones first; the higher the area, the
/// better the map. Deletion: they are replaced by the substitute's; the lower, the better. Petsiuk et al., RISE,
/// arXiv:1806.07421, section 3.3 (there: into a blurred image; by a constant), one curve for each image.
///
/// `maps`: (image, y, x) or (image, z, y, x), higher is more important. Pixels of equal value come and go together, at
/// their own share of pixels: a flat map's curve is the straight line from one end to the other. Without ties the
/// points are RISE's. Throws Error(shape) where input, maps and substitute do not go together or a map is not finite,
/// Error(options) for fewer than one step, and as scores_of().
std::vector<ScoreCurve> insertion_curves(const Explained& explained, const at::Tensor& input, const at::Tensor& maps,
                                         const at::Tensor& substitute, const ScoreCurveOptions& options = {});
std::vector<ScoreCurve> deletion_curves(const Explained& explained, const at::Tensor& input, const at::Tensor& maps,
                                        const at::Tensor& substitute, const ScoreCurveOptions& options = {});

/// The area under points with ascending x, by trapezoids.
double trapezoids(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace ichdet::attribution
