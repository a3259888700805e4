#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "ichdet/attribution/target.hpp"
#include "ichdet/nn/prepare.hpp"

namespace ichdet {
class Network;
}

namespace ichdet::attribution {

enum class CamMethod {
  grad_cam,            ///< Selvaraju et al., arXiv:1610.02391: features weighted by the mean of their gradient
  grad_cam_plus_plus,  ///< Chattopadhay et al., arXiv:1710.11063, equations 7 and 19
  eigen_cam,           ///< Muhammad and Yeasin, arXiv:2008.00299: first principal component; neither head nor target
};

/// grad-cam, grad-cam++, eigen-cam. Throws Error(options) that lists them.
CamMethod parse_cam_method(const std::string& text);
std::string to_string(CamMethod method);

struct CamOptions {
  CamMethod method = CamMethod::grad_cam;
  /// The mean of six maps: of the input as it is and mirrored, times 0.9, 1 and 1.1. Six times the work.
  bool aug_smooth = false;
  /// The first principal component of the weighted features in place of their sum. EigenCAM is that already.
  bool eigen_smooth = false;
  /// The input's axis that aug_smooth mirrors. 3: left and right of a plane (image, channel, y, x), and what grad-cam
  /// mirrors in a volume too, front and back; a head's likeness lies along 4 there.
  std::int64_t mirrored_axis = 3;
  /// Keeps the graph, so that a loss on the map trains features and head. First derivatives of the map are exact.
  bool create_graph = false;
};

/// Where in its input a network saw what speaks for a target: (image, y, x) or (image, z, y, x) of the input's size,
/// each image's map from 0 to 1, in float32 (float64 for such features).
///
/// `features` and `head` are a network in two parts, such as forward_features and forward_head of a Network, or any
/// callables; the map is made of what passes between them, (image, channel, y, x) or (image, channel, z, y, x). The
/// gradient is taken through the head alone: unless `create_graph`, `features` runs without gradients and may be a
/// PreparedNetwork. Batch norm has to be in evaluation mode, or the images of a batch would not be explained one by
/// one.
///
/// Equal to the Python package grad-cam 1.5.7 within float32, options and all, with the sign of `eigen_smooth` and
/// EigenCAM fixed (first_component), which grad-cam leaves to LAPACK. docs/attribution.md names every difference.
///
/// Safe from several threads at once where the callables are. Throws Error(shape) for an input without 4 or 5 axes, for
/// features that do not go with it, for features or a gradient that are not finite, and for a target that does not
/// depend on the features; Error(options) for a PreparedNetwork's features with `create_graph`.
at::Tensor grad_cam(const Forward& features, const Forward& head, const at::Tensor& input, const Target& target,
                    const CamOptions& options = {});

/// Of a network of models/. Throws Error(options) where it is in training mode, unless `create_graph`.
at::Tensor grad_cam(Network& network, const at::Tensor& input, const Target& target, const CamOptions& options = {});

/// The stages of grad_cam, for callers that have features already, need the head's output too, or compare maps with
/// each other before each is spread over 0 to 1.
/// @{

struct HeadGradient {
  at::Tensor output;    ///< the head's
  at::Tensor gradient;  ///< of the target's sum with respect to the features, of their shape
};
HeadGradient head_gradient(const Forward& head, const at::Tensor& features, const Target& target,
                           bool create_graph = false);

/// The map as the method computes it: the features' size, any sign and scale. `gradient` is not looked at for EigenCAM.
/// Throws Error(shape) where it has another shape than the features or is not finite.
at::Tensor unscaled_map(const at::Tensor& features, const at::Tensor& gradient, const CamOptions& options = {});

/// Negative values to 0, each image spread over 0 to 1, resized (planes linearly, as OpenCV; volumes by cubic splines
/// through the corners' centres, as SciPy's zoom), and spread again. `size`: y x or z y x.
at::Tensor scaled_map(const at::Tensor& map, at::IntArrayRef size);

/// @}

/// The projection (image, position) of maps (image, channel, position), centred over positions, on their first right
/// singular vector v; in float64, from the eigenvector of the smaller Gram matrix. The sign is such that the entries of
/// v sum to more than 0: the projection then goes with the sum of the channels, which is the map that it smooths.
at::Tensor first_component(const at::Tensor& maps);

}  // namespace ichdet::attribution
