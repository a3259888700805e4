#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ichdet/attribution/explained.hpp"

/// Performance information curves: what a network says of an image against how much of it there is to see, as a map's
/// most important pixels are brought into focus. Kapishnikov et al., XRAI, arXiv:1906.02825, section 4.2, as in the
/// Python package saliency 0.2.1 (`metrics/pic.py`).
namespace ichdet::attribution {

/// How much there is to see in an image (channel, y, x): any unit.
using Information = std::function<double(const at::Tensor& image)>;
/// An image (channel, y, x) of which the pixels `known` (y, x), boolean, are shown, and the others guessed.
using Reveal = std::function<at::Tensor(const at::Tensor& image, const at::Tensor& known)>;

/// Bytes that an ideal coder of the residuals would need: each channel, its values from `low` to `high` in 256 steps,
/// predicted by LOCO-I's median of left, upper and their plane (Weinberger et al., as in JPEG-LS), and the residuals'
/// entropy, summed over channels. No file is written, so that it is the same everywhere; it goes with the size of
/// lossless files (docs/attribution.md).
Information residual_bytes(double low, double high);

/// The pixels of `image` in focus, in front of the image blurred by a Gaussian of `sigma` pixels.
Reveal before_blur(double sigma);

struct InformationCurveOptions {
  /// Shares of pixels that are revealed, ascending.
  std::vector<double> shares{0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.10, 0.13, 0.21, 0.34, 0.5, 0.75};
  double least_score = 0.8;    ///< of the whole image; an image below it is skipped
  bool monotone = true;        ///< the curve keeps the highest score so far
  std::int64_t points = 1000;  ///< of the curve, at equal steps of information, beside the last
  Reveal reveal;               ///< none: before_blur(one sixteenth of the image's shorter side)
  Information information;     ///< none: residual_bytes over the image's own range
  at::Tensor known;            ///< (y, x), boolean: pixels that are known from the start; undefined: none
};

struct InformationCurve {
  std::string skipped;                     ///< why there is no curve: empty where there is one
  std::vector<double> information, score;  ///< both from 0, nothing revealed, to 1, the whole image
  double area = 0;                         ///< trapezoids; the higher, the better the map
  /// As measured, nothing revealed first and the whole image last.
  std::vector<double> measured_information, measured_score;
};

/// Of one image (channel, y, x) and its map (y, x). Where the whole image's score is below `least_score`, or nothing
/// revealed scores or tells as much as the whole, there is no curve, and `skipped` says so. A softmax as score makes
/// the paper's SIC, 1 for a right and 0 for a wrong class AIC.
///
/// Given saliency's own two functions it equals saliency's curve. Throws Error(shape) where image and map do not go
/// together or the map is not finite, Error(options) where shares do not ascend from above 0 to below 1 or points are
/// fewer than one, and as scores_of().
InformationCurve information_curve(const Explained& explained, const at::Tensor& image, const at::Tensor& map,
                                   const InformationCurveOptions& options = {});

/// The curve of all images: at each point the mean or the median of theirs; skipped ones are left out. Throws
/// Error(options) where no curve is left, Error(shape) where they have other points.
enum class Joined { mean, median };
InformationCurve joined(const std::vector<InformationCurve>& curves, Joined how = Joined::median);

}  // namespace ichdet::attribution
