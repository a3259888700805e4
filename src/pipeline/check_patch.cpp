#include "check_patch.hpp"

#include <algorithm>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/models/dynunet.hpp"
#include "ichdet/models/nnunet.hpp"
#include "ichdet/models/segmentation_network.hpp"
#include "ichdet/nn/views.hpp"

namespace ichdet::pipeline {
namespace {

bool answers_each_voxel(const Network& network) {
  const auto plain = [](const models::Axes& stride) { return stride == models::Axes(stride.size(), 1); };
  if (const auto* unet = dynamic_cast<const models::DynUNetImpl*>(&network))
    return plain(unet->options.strides.front());
  if (const auto* unet = dynamic_cast<const models::NnUNetImpl*>(&network)) return plain(unet->options.strides.front());
  return true;
}

}  // namespace

void check_patch(const Bundle& bundle, const Network& network) {
  const auto* segmenter = dynamic_cast<const models::SegmentationNetwork*>(&network);
  if (segmenter == nullptr) return;
  const auto expect = [&](bool ok, const std::string& what) {
    if (!ok) throw Error(ErrorCode::weights, (bundle.folder / "bundle.json").string() + ": " + what);
  };
  const auto& spec = bundle.spec;
  const auto& multiple_of = segmenter->multiple_of;
  expect(multiple_of.size() == 3,
         "/architecture: expected a network of volumes, found one of " + std::to_string(multiple_of.size()) + " axes");
  expect(answers_each_voxel(network),
         "/architecture/options/strides: expected 1 on the first level, else it answers less "
         "than it reads");
  expect(spec.patch.input == spec.patch.output, "/patch/output: expected the same as input");
  expect(spec.patch.step == 0, "/patch/step: expected 0, the answer depends on the patch");
  const auto check = [&](const std::array<std::int64_t, 3>& patch, const View& view, const std::string& key) {
    const auto shape = layout_of(patch, view, spec.axes).shape;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      expect(shape[axis] % multiple_of[axis] == 0,
             key + ": expected a multiple of " + std::to_string(multiple_of[axis]) + " on axis " +
                 std::to_string(axis) + " of what the network reads, found " + std::to_string(shape[axis]));
    }
  };
  for (const auto& view : spec.procedure.views) check(spec.patch.input, view, "/patch/input");
  if (!spec.procedure.rescue) return;
  for (const auto& view : spec.procedure.views) check(spec.procedure.rescue->patch, view, "/procedure/rescue/patch");
}

}  // namespace ichdet::pipeline
