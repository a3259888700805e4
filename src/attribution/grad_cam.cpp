#include "ichdet/attribution/grad_cam.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/where.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <array>

#include "ichdet/core/error.hpp"
#include "ichdet/nn/network.hpp"
#include "resize_map.hpp"

namespace ichdet::attribution {
namespace {

constexpr std::array<std::pair<CamMethod, const char*>, 3> method_names{{{CamMethod::grad_cam, "grad-cam"},
                                                                         {CamMethod::grad_cam_plus_plus, "grad-cam++"},
                                                                         {CamMethod::eigen_cam, "eigen-cam"}}};

void expect_finite(const char* what, const at::Tensor& tensor) {
  if (!at::isfinite(tensor).all().item<bool>()) {
    throw Error::mismatch(ErrorCode::shape, what, "finite values", "NaN or infinity");
  }
}

void check_features(const at::Tensor& features, const at::Tensor& input) {
  if (features.dim() != input.dim() || features.size(0) != input.size(0)) {
    throw Error::mismatch(ErrorCode::shape, "features",
                          std::to_string(input.dim()) + " axes, " + std::to_string(input.size(0)) + " images",
                          c10::str(features.sizes()));
  }
  expect_finite("features", features);
}

/// (image, channel, position), in float32 at least.
at::Tensor by_position(const at::Tensor& maps) {
  const auto flat = maps.flatten(2);
  return flat.scalar_type() == at::kDouble ? flat : flat.to(at::kFloat);
}

/// Channel weights (image, channel, 1).
at::Tensor channel_weights(const at::Tensor& features, const at::Tensor& gradient, CamMethod method) {
  if (method == CamMethod::grad_cam) return gradient.mean(-1, true);
  const auto square = gradient * gradient;
  const auto positive = gradient > 0;  // the others weigh nothing, whatever their denominator
  const auto denominator = 2 * square + features.sum(-1, true) * square * gradient + 1e-6;
  const auto alpha = square / at::where(positive, denominator, 1.0);
  return at::where(positive, alpha * gradient, 0.0).sum(-1, true);
}

at::Tensor spread(const at::Tensor& map) {
  const auto flat = map.flatten(1);
  const auto from_zero = flat - flat.amin(1, true);
  return (from_zero / (from_zero.amax(1, true) + 1e-7)).view_as(map);
}

at::Tensor one_map(const Forward& features, const Forward& head, const at::Tensor& input, const Target& target,
                   const CamOptions& options) {
  at::Tensor seen, gradient;
  {
    const at::AutoGradMode graph(options.create_graph);
    seen = features(input);
  }
  check_features(seen, input);
  if (options.create_graph && seen.is_inference()) {
    throw Error::mismatch(ErrorCode::options, "features to train by create_graph", "a network's own",
                          "inference tensors, as a PreparedNetwork gives, which keep no graph");
  }
  if (options.method != CamMethod::eigen_cam) {
    gradient = head_gradient(head, seen, target, options.create_graph).gradient;
  }
  const at::AutoGradMode graph(options.create_graph);
  return scaled_map(unscaled_map(seen, gradient, options), input.sizes().slice(2));
}

}  // namespace

CamMethod parse_cam_method(const std::string& text) {
  for (const auto& [method, name] : method_names) {
    if (text == name) return method;
  }
  throw Error::mismatch(ErrorCode::options, "method", "grad-cam, grad-cam++ or eigen-cam", text);
}

std::string to_string(CamMethod method) { return method_names[std::size_t(method)].second; }

HeadGradient head_gradient(const Forward& head, const at::Tensor& features, const Target& target, bool create_graph) {
  const c10::InferenceMode off(false);
  const at::AutoGradMode graph(true);
  auto from = features.is_inference() ? features.clone() : features;  // the former cannot be in a graph
  if (!create_graph || !from.requires_grad()) from = from.detach().requires_grad_();
  HeadGradient result;
  result.output = head(from.clone());  // a copy, since a head may begin with an activation in place
  const auto score = target(result.output).sum();
  if (score.requires_grad()) {
    result.gradient = torch::autograd::grad({score}, {from}, {}, create_graph, create_graph, true).front();
  }
  if (!result.gradient.defined()) throw Error(ErrorCode::shape, "target: does not depend on the features");
  if (!create_graph) result.output = result.output.detach();
  return result;
}

at::Tensor unscaled_map(const at::Tensor& features, const at::Tensor& gradient, const CamOptions& options) {
  const bool eigen = options.method == CamMethod::eigen_cam;
  if (!eigen && gradient.sizes() != features.sizes()) {
    throw Error::mismatch(ErrorCode::shape, "gradient", c10::str(features.sizes()), c10::str(gradient.sizes()));
  }
  if (!eigen) expect_finite("gradient", gradient);
  const auto x = by_position(features);
  const auto weighted = eigen ? x : x * channel_weights(x, by_position(gradient), options.method);
  const auto map = eigen || options.eigen_smooth ? first_component(weighted) : weighted.sum(1);
  return map.view_as(features.select(1, 0));
}

at::Tensor scaled_map(const at::Tensor& map, at::IntArrayRef size) {
  if (std::int64_t(size.size()) != map.dim() - 1) {
    throw Error::mismatch(ErrorCode::shape, "size of the map", std::to_string(map.dim() - 1) + " numbers",
                          c10::str(size));
  }
  return spread(resize_map(spread(map.relu()), size).relu());  // splines may go below 0 again
}

at::Tensor grad_cam(const Forward& features, const Forward& head, const at::Tensor& input, const Target& target,
                    const CamOptions& options) {
  if (input.dim() != 4 && input.dim() != 5) {
    throw Error::mismatch(ErrorCode::shape, "input", "4 or 5 axes", std::to_string(input.dim()));
  }
  const c10::InferenceMode off(false);
  if (!options.aug_smooth) return one_map(features, head, input, target, options);
  const auto axis = options.mirrored_axis;
  if (axis < 2 || axis >= input.dim()) {
    throw Error::mismatch(ErrorCode::options, "mirrored_axis", "2 to " + std::to_string(input.dim() - 1),
                          std::to_string(axis));
  }
  at::Tensor sum;
  for (const bool mirrored : {false, true}) {
    const auto x = mirrored ? input.flip(axis) : input;
    for (const double factor : {0.9, 1.0, 1.1}) {
      auto map = one_map(features, head, factor == 1 ? x : x * factor, target, options);
      if (mirrored) map = map.flip(axis - 1);
      sum = sum.defined() ? sum + map : map;
    }
  }
  return sum / 6;
}

at::Tensor grad_cam(Network& network, const at::Tensor& input, const Target& target, const CamOptions& options) {
  if (network.is_training() && !options.create_graph) {
    throw Error::mismatch(ErrorCode::options, "network to explain", "evaluation mode", "training mode");
  }
  return grad_cam([&](const at::Tensor& x) { return network.forward_features(x); },
                  [&](const at::Tensor& f) { return network.forward_head(f); }, input, target, options);
}

}  // namespace ichdet::attribution
