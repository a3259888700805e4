#include "ichdet/models/segmentation_network.hpp"

#include <ATen/Functions.h>
#include <c10/util/StringUtil.h>

#include "ichdet/core/error.hpp"
#include "ichdet/nn/state_dict.hpp"

namespace ichdet::models {
namespace {

at::Tensor nearest(const at::Tensor& x, at::IntArrayRef size) {
  return size.size() == 3 ? at::upsample_nearest3d(x, size) : at::upsample_nearest2d(x, size);
}

}  // namespace

SegmentationNetwork::SegmentationNetwork(std::int64_t channels, std::int64_t classes, Axes multiples)
    : in_channels(channels), num_classes(classes), multiple_of(std::move(multiples)) {}

std::vector<at::Tensor> SegmentationNetwork::forward_deep(const at::Tensor& x) { return {forward(x)}; }

void SegmentationNetwork::rename_published(StateDict& weights) const {
  std::map<std::string, at::Tensor> own;
  std::map<std::string, std::string> published;
  std::size_t others = 0;
  for (const auto& [name, tensor] : weights.tensors) {
    const auto kept = own_name(name);
    if (kept != name) ++others;
    const auto [place, is_first] = own.emplace(kept, tensor);
    if (is_first) {
      published[kept] = name;
      continue;
    }
    const auto& first = place->second;
    if (first.scalar_type() != tensor.scalar_type() || !at::equal(first, tensor)) {
      throw Error(ErrorCode::weights,
                  weights.source + ": " + name + " should hold the same numbers as " + published[kept]);
    }
  }
  weights.tensors = std::move(own);
  if (others > 0) weights.notes.push_back(std::to_string(others) + " second names of tensors left out");
}

void SegmentationNetwork::expect_input(const at::Tensor& x, const char* network) const {
  const auto dimensions = multiple_of.size();
  bool fits = std::size_t(x.dim()) == dimensions + 2 && x.size(1) == in_channels;
  for (std::size_t axis = 0; fits && axis < dimensions; ++axis) {
    const auto size = x.size(std::int64_t(axis) + 2);
    fits = size > 0 && size % multiple_of[axis] == 0;
  }
  if (fits) return;
  auto expected = "(N, " + std::to_string(in_channels);
  for (const auto multiple : multiple_of) expected += ", a multiple of " + std::to_string(multiple);
  throw Error::mismatch(ErrorCode::shape, std::string(network) + "'s input", expected + ")", c10::str(x.sizes()));
}

at::Tensor stack_heads(const std::vector<at::Tensor>& heads) {
  const auto size = heads.front().sizes().slice(2);
  std::vector<at::Tensor> all{heads.front()};
  for (std::size_t i = 1; i < heads.size(); ++i) all.push_back(nearest(heads[i], size));
  return at::stack(all, 1);
}

}  // namespace ichdet::models
