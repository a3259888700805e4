// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <variant>

#include "ichdet/attribution/felzenszwalb.hpp"
#include "ichdet/attribution/xrai.hpp"
#include "network.hpp"
#include "tensor_like.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

using attribution::RegionMasks;
using attribution::Xrai;
using attribution::XraiRegions;

attribution::XraiSegmentOptions segment_options(const std::vector<double>& scales, double sigma, std::int64_t min_size,
                                                std::pair<double, double> value_range, std::int64_t side,
                                                std::int64_t dilation) {
  return {scales, sigma, min_size, value_range.first, value_range.second, side, dilation};
}

attribution::XraiRegionOptions region_options(const std::string& algorithm, double area_threshold,
                                              std::int64_t min_pixel_diff) {
  return {attribution::parse_xrai_algorithm(algorithm), area_threshold, min_pixel_diff};
}

void bind_results(py::module_& m) {
  py::class_<RegionMasks>(m, "RegionMasks", R"(Regions of one image, a bit for each pixel.

Wherever they are taken, a tensor is, too.

Parameters
----------
masks : torch.Tensor, bool (mask, y, x)

Raises
------
ichdet.Error
    shape: another type, other axes, or no pixel.

Examples
--------
>>> masks = ichdet.attribution.RegionMasks(torch.eye(3, dtype=torch.bool)[None])
>>> len(masks), masks.tensor().shape
(1, torch.Size([1, 3, 3]))
>>> masks.dilated(1).tensor()[0, 0]
tensor([ True,  True, False]))")
      .def(py::init([](const TensorLike& masks) { return attribution::region_masks(masks); }), py::arg("masks"))
      .def_static(
          "of_labels", [](const TensorLike& labels) { return attribution::masks_of_labels(labels); },
          py::arg("labels"),
          "A mask for each label from the least to the highest, of labels int64 (y, x) or of each of (scale, y, x).")
      .def("__len__", [](const RegionMasks& masks) { return masks.count; })
      .def("dilated", &attribution::dilated, py::arg("radius"), "Every mask grown by the pixels within `radius` of it.")
      .def("tensor", &attribution::to_tensor, "torch.Tensor, bool (mask, y, x).");
  py::implicitly_convertible<at::Tensor, RegionMasks>();
  py::implicitly_convertible<py::array, RegionMasks>();
  py::class_<XraiRegions>(m, "XraiRegions", R"(Disjoint regions of one image, most important first.

Examples
--------
>>> halves = torch.zeros(2, 4, 4, dtype=torch.bool)
>>> halves[0, :2], halves[1, 2:] = True, True
>>> found = ichdet.attribution.xrai_regions(torch.arange(16.0).reshape(4, 4), halves, min_pixel_diff=1)
>>> found.gains, found.areas, found.ranks[:, 0]
([11.5, 3.5], [8, 8], tensor([2, 2, 1, 1])))")
      .def_readonly("heat_map", &XraiRegions::heat_map, "Each pixel's region's gain: torch.Tensor (y, x), float64.")
      .def_readonly("ranks", &XraiRegions::ranks, "Its place in the order, from 1: torch.Tensor (y, x), int64.")
      .def_readonly("gains", &XraiRegions::gains, "Of each region: the mean attribution of its pixels.")
      .def_readonly("areas", &XraiRegions::areas, "Of each region, pixels.")
      .def(
          "top", &attribution::top_regions, py::arg("share"),
          "The pixels, bool (y, x), of the fewest regions from the first on that make up a share of the area or more.");
  py::class_<Xrai>(m, "Xrai", R"(What xrai found.

Examples
--------
>>> ichdet.attribution.Xrai.regions.__doc__
"Each image's: a list of XraiRegions.")")
      .def_readonly("attribution", &Xrai::attribution, "What the regions are ordered by: torch.Tensor (image, y, x).")
      .def_readonly("regions", &Xrai::regions, "Each image's: a list of XraiRegions.")
      .def_readonly("completeness", &Xrai::completeness,
                    "Each baseline's, where it was asked for: a list of Completeness.");
}

void bind_parts(py::module_& m) {
  const attribution::FelzenszwalbOptions graph;
  const attribution::XraiRegionOptions regions;
  const attribution::XraiSegmentOptions defaults;
  const std::pair<double, double> value_range(defaults.low, defaults.high);
  m.def(
      "felzenszwalb",
      [](const TensorLike& image, const std::variant<double, std::vector<double>>& scale, double sigma,
         std::int64_t min_size) {
        return unlocked([&] {
          const auto* several = std::get_if<std::vector<double>>(&scale);
          return several ? attribution::felzenszwalb_scales(image, *several, {1, sigma, min_size})
                         : attribution::felzenszwalb(image, {std::get<double>(scale), sigma, min_size});
        });
      },
      py::arg("image"), py::arg("scale") = graph.scale, py::arg("sigma") = graph.sigma,
      py::arg("min_size") = graph.min_size,
      R"(Felzenszwalb and Huttenlocher's graph-based segmentation (2004).

Equals scikit-image 0.26 where no two pairs of neighbours differ by the same amount above 0.

Parameters
----------
image : torch.Tensor or numpy.ndarray, (y, x) or (channel, y, x), float32 or float64
scale : float or list of float
    The higher, the larger the segments. Of several, the edges are sorted once.
sigma : float
    Of the Gaussian that smooths the image first, pixels.
min_size : int
    Pixels; smaller segments are joined to their nearest neighbours.

Returns
-------
torch.Tensor, (y, x), or for several scales (scale, y, x), int64
    Labels from 0.

Raises
------
ichdet.Error
    shape: another type, other axes, values that are not finite; options: a scale that is not above 0.

Examples
--------
>>> image = torch.zeros(8, 8)
>>> image[:, 4:] = 1
>>> ichdet.attribution.felzenszwalb(image, scale=1, sigma=0, min_size=4)[0]
tensor([0, 0, 0, 0, 1, 1, 1, 1]))");
  m.def(
      "xrai_segments",
      [](const TensorLike& image, const std::vector<double>& scales, double sigma, std::int64_t min_size,
         std::pair<double, double> value_range, std::int64_t side, std::int64_t dilation) {
        const auto options = segment_options(scales, sigma, min_size, value_range, side, dilation);
        return unlocked([&] { return attribution::xrai_segments(image, options); });
      },
      py::arg("image"), py::kw_only(), py::arg("scales") = defaults.scales, py::arg("sigma") = defaults.sigma,
      py::arg("min_size") = defaults.min_size, py::arg("value_range") = value_range, py::arg("side") = defaults.side,
      py::arg("dilation") = defaults.dilation,
      R"(Segments of an image at several scales, each grown over its border, as saliency 0.2.1 finds them.

Parameters
----------
image : torch.Tensor or numpy.ndarray, (y, x) or (channel, y, x), float32 or float64
scales : list of float
    felzenszwalb's, a segmentation for each.
sigma, min_size : float, int
    felzenszwalb's.
value_range : (float, float)
    What the image's least and highest value are segmented as.
side : int
    The image is segmented as a square of this side; 0: in its own size.
dilation : int
    Pixels that every segment is grown by.

Returns
-------
RegionMasks

Raises
------
ichdet.Error
    shape: as felzenszwalb; options: a number out of its range.

Examples
--------
>>> image = torch.zeros(32, 32)
>>> image[8:24, 8:24] = 1
>>> masks = ichdet.attribution.xrai_segments(image, scales=[50, 100], side=0, min_size=20, dilation=0)
>>> len(masks), bool(masks.tensor().any(0).all())
(12, True))");
  m.def(
      "xrai_regions",
      [](const TensorLike& given, const RegionMasks& masks, const std::string& algorithm, double area_threshold,
         std::int64_t min_pixel_diff) {
        const auto options = region_options(algorithm, area_threshold, min_pixel_diff);
        return unlocked([&] { return attribution::xrai_regions(given, masks, options); });
      },
      py::arg("attribution"), py::arg("masks"), py::kw_only(), py::arg("algorithm") = to_string(regions.algorithm),
      py::arg("area_threshold") = regions.area_threshold, py::arg("min_pixel_diff") = regions.min_pixel_diff,
      R"(XRAI's regions of an attribution of one's own.

Parameters
----------
attribution : torch.Tensor or numpy.ndarray, (y, x), float32 or float64
masks : RegionMasks or torch.Tensor, bool (mask, y, x)
algorithm : 'full' or 'fast'
    The region next in order has the highest mean over its pixels in no region before it, or over all its pixels.
area_threshold : float
    full: no further regions once more than this share of the image is in one.
min_pixel_diff : int
    A region that would add fewer pixels is left out.

Returns
-------
XraiRegions

Raises
------
ichdet.Error
    shape: another type or size, or values that are not finite; options: a number out of its range.

Examples
--------
>>> halves = torch.zeros(2, 4, 4, dtype=torch.bool)
>>> halves[0, :2], halves[1, 2:] = True, True
>>> found = ichdet.attribution.xrai_regions(torch.arange(16.0).reshape(4, 4), halves, min_pixel_diff=1)
>>> found.top(0.5)[:, 0]
tensor([False, False,  True,  True]))");
  m.def(
      "xrai_attribution",
      [](const std::vector<TensorLike>& of_baselines) {
        std::vector<at::Tensor> all(of_baselines.begin(), of_baselines.end());
        return unlocked([&] { return attribution::xrai_attribution(all); });
      },
      py::arg("of_baselines"),
      R"(The attribution that XRAI orders regions by: the mean over baselines, and of that the highest over channels.

Parameters
----------
of_baselines : list of torch.Tensor or numpy.ndarray, (image, channel, y, x)
    Path attributions, one for each baseline.

Returns
-------
torch.Tensor, (image, y, x)

Examples
--------
>>> ichdet.attribution.xrai_attribution([torch.zeros(1, 2, 1, 2), torch.tensor([[[[2.0, 0]], [[0, 4]]]])])
tensor([[[1., 2.]]]))");
}

void bind_whole(py::module_& m) {
  const attribution::IntegratedGradientsOptions path;
  const attribution::XraiRegionOptions regions;
  const attribution::XraiSegmentOptions defaults;
  m.def(
      "xrai",
      [](const attribution::Explained& explained, const TensorLike& input, const std::vector<TensorLike>& given,
         std::int64_t steps, const std::string& quadrature, bool completeness, const std::string& algorithm,
         double area_threshold, std::int64_t min_pixel_diff, const std::vector<double>& scales, double sigma,
         std::int64_t min_size, std::pair<double, double> value_range, std::int64_t side, std::int64_t dilation,
         const ProgressArgument& progress) {
        const std::vector<at::Tensor> baselines(given.begin(), given.end());
        const attribution::XraiOptions options{{steps, attribution::parse_quadrature(quadrature), completeness},
                                               baselines,
                                               segment_options(scales, sigma, min_size, value_range, side, dilation),
                                               region_options(algorithm, area_threshold, min_pixel_diff)};
        return watched(progress,
                       [&](const Progress& tell) { return attribution::xrai(explained, input, options, tell); });
      },
      py::arg("explained"), py::arg("input"), py::kw_only(), py::arg_v("baselines", py::list(), "[]"),
      py::arg("steps") = path.steps, py::arg("quadrature") = to_string(path.quadrature),
      py::arg("completeness") = path.completeness, py::arg("algorithm") = to_string(regions.algorithm),
      py::arg("area_threshold") = regions.area_threshold, py::arg("min_pixel_diff") = regions.min_pixel_diff,
      py::arg("scales") = defaults.scales, py::arg("sigma") = defaults.sigma, py::arg("min_size") = defaults.min_size,
      py::arg("value_range") = std::pair(defaults.low, defaults.high), py::arg("side") = defaults.side,
      py::arg("dilation") = defaults.dilation, py::arg("progress") = py::none(),
      R"(Regions of each image in the order of what they contribute to its score: XRAI, arXiv:1906.02825.

Equals the Python package saliency 0.2.1 with its defaults, as far as integrated_gradients and xrai_segments do.

Parameters
----------
explained : Explained
input : torch.Tensor or numpy.ndarray, (image, channel, y, x), float32 or float64
baselines : list of torch.Tensor or numpy.ndarray
    Of shapes that broadcast to the input's; none: black and white.
steps, quadrature, completeness
    As integrated_gradients takes them.
algorithm, area_threshold, min_pixel_diff
    As xrai_regions does.
scales, sigma, min_size, value_range, side, dilation
    As xrai_segments does.
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
Xrai

Raises
------
ichdet.Error
    shape: a volume, or as its parts; options: a number out of its range.

Examples
--------
>>> corner = lambda x: x[:, :, :16, :16].mean((2, 3))
>>> image = torch.zeros(1, 1, 32, 32)
>>> image[..., 4:12, 4:12] = 1
>>> image[..., 20:28, 20:28] = 1
>>> found = ichdet.attribution.xrai(ichdet.attribution.Explained(corner, 0), image, steps=4, side=0, min_size=20)
>>> found.regions[0].heat_map[8, 8] > found.regions[0].heat_map[24, 24]
tensor(True))");
}

}  // namespace

void bind_xrai(py::module_& nn) {
  auto m = nn.def_submodule("attribution");
  bind_results(m);
  bind_parts(m);
  bind_whole(m);
}

}  // namespace ichdet::python
