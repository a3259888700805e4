// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <variant>

#include "ichdet/attribution/felzenszwalb.hpp"
#include "ichdet/attribution/xrai.hpp"
#include "network.hpp"
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

RegionMasks(masks), of torch.Tensor bool (mask, y, x), which is taken wherever these are.)")
      .def(py::init(&attribution::region_masks), py::arg("masks"))
      .def("__len__", [](const RegionMasks& masks) { return masks.count; })
      .def("tensor", &attribution::to_tensor, "bool (mask, y, x)");
  py::implicitly_convertible<at::Tensor, RegionMasks>();
  py::class_<XraiRegions>(m, "XraiRegions", R"(Disjoint regions of one image, most important first.

Attributes
----------
heat_map : torch.Tensor, (y, x), float64
    Each pixel's region's gain.
ranks : torch.Tensor, (y, x), int64
    Its place in the order, from 1.
gains : list of float
    Of each region: the mean attribution of its pixels.
areas : list of int
    Of each region, pixels.)")
      .def_readonly("heat_map", &XraiRegions::heat_map)
      .def_readonly("ranks", &XraiRegions::ranks)
      .def_readonly("gains", &XraiRegions::gains)
      .def_readonly("areas", &XraiRegions::areas)
      .def(
          "top", &attribution::top_regions, py::arg("share"),
          "The pixels, bool (y, x), of the fewest regions from the first on that make up a share of the area or more.");
  py::class_<Xrai>(m, "Xrai", R"(What xrai found.

Attributes
----------
attribution : torch.Tensor, (image, y, x)
    What the regions are ordered by.
regions : list of XraiRegions
    Each image's.
completeness : list of Completeness
    Each baseline's, where it was asked for.)")
      .def_readonly("attribution", &Xrai::attribution)
      .def_readonly("regions", &Xrai::regions)
      .def_readonly("completeness", &Xrai::completeness);
}

void bind_parts(py::module_& m) {
  const attribution::XraiSegmentOptions defaults;
  const std::pair<double, double> value_range(defaults.low, defaults.high);
  m.def(
      "felzenszwalb",
      [](const at::Tensor& image, const std::variant<double, std::vector<double>>& scale, double sigma,
         std::int64_t min_size) {
        return unlocked([&] {
          const auto* several = std::get_if<std::vector<double>>(&scale);
          return several ? attribution::felzenszwalb_scales(image, *several, {1, sigma, min_size})
                         : attribution::felzenszwalb(image, {std::get<double>(scale), sigma, min_size});
        });
      },
      py::arg("image"), py::arg("scale") = 1.0, py::arg("sigma") = 0.8, py::arg("min_size") = 20,
      R"(Felzenszwalb and Huttenlocher's graph-based segmentation (2004).

Equals scikit-image 0.26 where no two pairs of neighbours differ by the same amount above 0.

Parameters
----------
image : torch.Tensor, (y, x) or (channel, y, x), float32 or float64
scale : float or list of float
    The higher, the larger the segments. Of several, the edges are sorted once.
sigma : float
    Of the Gaussian that smooths the image first, pixels.
min_size : int
    Pixels; smaller segments are joined to their nearest neighbours.

Returns
-------
torch.Tensor, (y, x), or for several scales (scale, y, x), int64: labels from 0)");
  m.def(
      "xrai_segments",
      [](const at::Tensor& image, const std::vector<double>& scales, double sigma, std::int64_t min_size,
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
image : torch.Tensor, (y, x) or (channel, y, x), float32 or float64
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
RegionMasks)");
  m.def(
      "xrai_regions",
      [](const at::Tensor& given, const RegionMasks& masks, const std::string& algorithm, double area_threshold,
         std::int64_t min_pixel_diff) {
        const auto options = region_options(algorithm, area_threshold, min_pixel_diff);
        return unlocked([&] { return attribution::xrai_regions(given, masks, options); });
      },
      py::arg("attribution"), py::arg("masks"), py::kw_only(), py::arg("algorithm") = "full",
      py::arg("area_threshold") = 1.0, py::arg("min_pixel_diff") = 50,
      R"(XRAI's regions of an attribution of one's own.

Parameters
----------
attribution : torch.Tensor, (y, x), float32 or float64
masks : RegionMasks or torch.Tensor, bool (mask, y, x)
algorithm : 'full' or 'fast'
    The region next in order has the highest mean over its pixels in no region before it, or over all its pixels.
area_threshold : float
    full: no further regions once more than this share of the image is in one.
min_pixel_diff : int
    A region that would add fewer pixels is left out.

Returns
-------
XraiRegions)");
}

void bind_whole(py::module_& m) {
  const attribution::XraiSegmentOptions defaults;
  m.def(
      "xrai",
      [](const attribution::Explained& explained, const at::Tensor& input, const std::vector<at::Tensor>& baselines,
         std::int64_t steps, const std::string& quadrature, bool completeness, const std::string& algorithm,
         double area_threshold, std::int64_t min_pixel_diff, const std::vector<double>& scales, double sigma,
         std::int64_t min_size, std::pair<double, double> value_range, std::int64_t side, std::int64_t dilation,
         const ProgressArgument& progress) {
        const attribution::XraiOptions options{{steps, attribution::parse_quadrature(quadrature), completeness},
                                               baselines,
                                               segment_options(scales, sigma, min_size, value_range, side, dilation),
                                               region_options(algorithm, area_threshold, min_pixel_diff)};
        return watched(progress,
                       [&](const Progress& tell) { return attribution::xrai(explained, input, options, tell); });
      },
      py::arg("explained"), py::arg("input"), py::kw_only(), py::arg("baselines") = std::vector<at::Tensor>(),
      py::arg("steps") = 100, py::arg("quadrature") = "riemann", py::arg("completeness") = false,
      py::arg("algorithm") = "full", py::arg("area_threshold") = 1.0, py::arg("min_pixel_diff") = 50,
      py::arg("scales") = defaults.scales, py::arg("sigma") = defaults.sigma, py::arg("min_size") = defaults.min_size,
      py::arg("value_range") = std::pair(defaults.low, defaults.high), py::arg("side") = defaults.side,
      py::arg("dilation") = defaults.dilation, py::arg("progress") = py::none(),
      R"(Regions of each image in the order of what they contribute to its score: XRAI, arXiv:1906.02825.

Equals the Python package saliency 0.2.1 with its defaults, as far as integrated_gradients and xrai_segments do.

Parameters
----------
explained : Explained
input : torch.Tensor, (image, channel, y, x), float32 or float64
baselines : list of torch.Tensor
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
Xrai)");
}

}  // namespace

void bind_xrai(py::module_& nn) {
  auto m = nn.def_submodule("attribution");
  bind_results(m);
  bind_parts(m);
  bind_whole(m);
}

}  // namespace ichdet::python
