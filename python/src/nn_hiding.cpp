// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "explained.hpp"
#include "ichdet/attribution/occlusion.hpp"
#include "ichdet/attribution/rise.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

using attribution::Explained;

/// One number for all axes, or one for each.
using PerAxis = std::variant<std::int64_t, std::vector<std::int64_t>>;

std::vector<std::int64_t> numbers(const PerAxis& given) {
  if (const auto* one = std::get_if<std::int64_t>(&given)) return {*one};
  return std::get<1>(given);
}

void bind_occlusion(py::module_& m) {
  const attribution::OcclusionOptions defaults;
  m.def(
      "occlusion",
      [](const Explained& explained, const TensorLike& input, const BaselineArgument& baseline, const PerAxis& size,
         const PerAxis& stride, bool mean, const ProgressArgument& progress) {
        const auto hidden = baseline_of(input, baseline);
        const attribution::OcclusionOptions options{numbers(size), numbers(stride), mean};
        return watched(progress, [&](const Progress& tell) {
          return attribution::occlusion(explained, input, hidden, options, tell);
        });
      },
      py::arg("explained"), py::arg("input"), py::arg("baseline") = "black", py::kw_only(),
      py::arg("size") = defaults.size.front(), py::arg("stride") = defaults.stride.front(),
      py::arg("mean") = defaults.mean, py::arg("progress") = py::none(),
      R"(How much the score falls when a window of the input is hidden: Zeiler and Fergus, arXiv:1311.2901.

Equals the Python package saliency 0.2.1 with stride=1, mean=False and baseline='zero'. Takes scores alone.

Parameters
----------
explained : Explained
input : torch.Tensor or numpy.ndarray, (image, channel, y, x) or (image, channel, z, y, x), float32 or float64
baseline : 'black', 'white', 'zero', or torch.Tensor or numpy.ndarray of a shape that broadcasts to the input's
    What is seen in a window.
size, stride : int, or one for each of y, x or z, y, x
    Of the window, and from window to window, voxels. The last window ends at the border.
mean : bool
    Over the windows that cover a voxel; or their sum.
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
torch.Tensor, (image, y, x) or (image, z, y, x), of the input's type

Raises
------
ichdet.Error
    shape: an input or what goes with it of another shape; options: a number out of its range.

Examples
--------
>>> network = lambda x: x.flatten(1) @ torch.tensor([[1.0, 0], [0, 2], [0, 0], [0, -1]])  # 2 x 2 pixels, 2 classes
>>> explained = ichdet.attribution.Explained(network, 1)
>>> x = torch.tensor([[[[3.0, 1], [0, 2]]]])
>>> ichdet.attribution.occlusion(explained, x, "zero", size=1, stride=1)
tensor([[[ 0.,  2.],
         [ 0., -2.]]]))");
}

void bind_rise(py::module_& m) {
  const attribution::RiseOptions defaults;
  m.def(
      "rise",
      [](const Explained& explained, const TensorLike& input, const BaselineArgument& baseline, std::int64_t masks,
         const PerAxis& grid, double probability, std::uint64_t seed, const ProgressArgument& progress) {
        const auto hidden = baseline_of(input, baseline);
        const attribution::RiseOptions options{masks, numbers(grid), probability, seed};
        return watched(
            progress, [&](const Progress& tell) { return attribution::rise(explained, input, hidden, options, tell); });
      },
      py::arg("explained"), py::arg("input"), py::arg("baseline") = "black", py::kw_only(),
      py::arg("masks") = defaults.masks, py::arg("grid") = defaults.grid.front(),
      py::arg("probability") = defaults.probability, py::arg("seed") = defaults.seed, py::arg("progress") = py::none(),
      R"(The mean of random masks, weighted by the scores of the input seen through them: Petsiuk et al., arXiv:1806.07421.

Takes scores alone, which should not be negative: probabilities.

Parameters
----------
explained : Explained
input : torch.Tensor or numpy.ndarray, (image, channel, y, x) or (image, channel, z, y, x), float32 or float64
baseline : 'black', 'white', 'zero', or torch.Tensor or numpy.ndarray of a shape that broadcasts to the input's
    What is seen where a mask hides the input; the paper's is 0.
masks : int
grid : int, or one for each of y, x or z, y, x
    Cells along each axis.
probability : float
    That a cell is seen.
seed : int
    Masks are a pure function of seed and their number, the same for every image.
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
torch.Tensor, (image, y, x) or (image, z, y, x), of the input's type

Raises
------
ichdet.Error
    shape: an input or what goes with it of another shape; options: a number out of its range.

Examples
--------
>>> centre = lambda x: x[:, :, 4, 4]  # one class: what is in the middle
>>> explained = ichdet.attribution.Explained(centre, 0)
>>> map = ichdet.attribution.rise(explained, torch.ones(1, 1, 9, 9), "zero", masks=200, grid=3)
>>> bool(map[0, 4, 4] > map[0, 0, 0])
True)");
  m.def(
      "rise_masks",
      [](const std::vector<std::int64_t>& size, std::int64_t first, std::int64_t count, const PerAxis& grid,
         double probability, std::uint64_t seed) {
        const attribution::RiseOptions options{count, numbers(grid), probability, seed};
        return attribution::rise_masks(size, first, count, options);
      },
      py::arg("size"), py::arg("first"), py::arg("count"), py::kw_only(), py::arg("grid") = defaults.grid.front(),
      py::arg("probability") = defaults.probability, py::arg("seed") = defaults.seed,
      R"(The random masks that rise sees the input through.

Parameters
----------
size : list of int
    Of the images: y, x or z, y, x.
first, count : int
    Masks first to first + count.
grid, probability, seed
    As for rise.

Returns
-------
torch.Tensor, (mask, y, x) or (mask, z, y, x), float32 from 0 to 1

Notes
-----
Petsiuk et al., arXiv:1806.07421, section 3.2.

Examples
--------
>>> masks = ichdet.attribution.rise_masks([16, 16], 0, 100, grid=4)
>>> masks.shape, abs(masks.mean() - 0.5) < 0.05
(torch.Size([100, 16, 16]), tensor(True)))");
}

}  // namespace

void bind_hiding(py::module_& nn) {
  auto m = nn.def_submodule("attribution");
  bind_occlusion(m);
  bind_rise(m);
}

}  // namespace ichdet::python
