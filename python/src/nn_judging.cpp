// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/eigen.h>
#include <pybind11/functional.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "ichdet/attribution/information_curve.hpp"
#include "ichdet/attribution/score_curves.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/localisation.hpp"
#include "network.hpp"

namespace ichdet::python {
namespace {

using namespace attribution;

/// A tensor's values as an array z, y, x; a picture is one plane.
template <class T>
Array3<T> planes(const char* what, const at::Tensor& values, at::ScalarType type) {
  if (values.dim() != 2 && values.dim() != 3) {
    throw Error::mismatch(ErrorCode::shape, what, "(y, x) or (z, y, x)", c10::str(values.sizes()));
  }
  const auto held = std::make_shared<at::Tensor>(
      (values.dim() == 2 ? values.unsqueeze(0) : values).detach().to(at::kCPU, type).contiguous());
  return {held->data_ptr<T>(), {held->size(0), held->size(1), held->size(2)}, held};
}
Array3<float> map_of(const at::Tensor& map) { return planes<float>("map", map, at::kFloat); }
Array3<std::uint8_t> mask_of(const at::Tensor& mask) { return planes<std::uint8_t>("mask", mask != 0, at::kByte); }

void bind_localisation(py::module_& m) {
  const py::call_guard<py::gil_scoped_release> freely;
  py::class_<evaluate::Pointing>(m, "Pointing")
      .def_readonly("hit", &evaluate::Pointing::hit, "1 or 0; of several equal maxima the share that hits.")
      .def_readonly("chance", &evaluate::Pointing::chance, "Share of pixels within the tolerance of the mask.")
      .def_readonly("maxima", &evaluate::Pointing::maxima, "How many equal ones there are.");
  m.def(
      "pointing_game",
      [](const at::Tensor& map, const at::Tensor& mask, double tolerance, const Eigen::Vector3d& spacing) {
        return evaluate::pointing_game(map_of(map), mask_of(mask), {tolerance, spacing});
      },
      freely, py::arg("map"), py::arg("mask"), py::kw_only(), py::arg("tolerance") = 15.0,
      py::arg("spacing") = Eigen::Vector3d(1, 1, 1),
      R"(Whether a map's maximum lies on a mask, or near it (Zhang et al., arXiv:1608.00507).

Parameters
----------
map : torch.Tensor, (y, x) or (z, y, x)
mask : torch.Tensor of the same shape, anything but 0 inside
tolerance : float
    A maximum this near is a hit: pixels, or mm where spacing is mm.
spacing : x, y, z

Returns
-------
Pointing)");
  m.def(
      "energy_inside",
      [](const at::Tensor& map, const at::Tensor& mask) { return evaluate::energy_inside(map_of(map), mask_of(mask)); },
      freely, py::arg("map"), py::arg("mask"),
      "The share of the map's positive values that lies in the mask (Score-CAM, arXiv:1910.01279); a uniform map's is "
      "the mask's share of pixels.");
  py::class_<evaluate::EqualArea>(m, "EqualArea")
      .def_readonly("precision", &evaluate::EqualArea::precision, "Share of the most important pixels in the mask.")
      .def_readonly("iou", &evaluate::EqualArea::iou);
  m.def(
      "equal_area",
      [](const at::Tensor& map, const at::Tensor& mask) { return evaluate::equal_area(map_of(map), mask_of(mask)); },
      freely, py::arg("map"), py::arg("mask"),
      "How the most important pixels, as many as the mask has, cover it; ties count in part.");
  m.def(
      "pixel_auc",
      [](const at::Tensor& map, const at::Tensor& mask) { return evaluate::pixel_auc(map_of(map), mask_of(mask)); },
      freely, py::arg("map"), py::arg("mask"), "The ROC area of the map as a classifier of the mask's pixels.");
  m.def(
      "rank_correlation",
      [](const at::Tensor& a, const at::Tensor& b) { return evaluate::rank_correlation(map_of(a), map_of(b)); }, freely,
      py::arg("a"), py::arg("b"),
      "Spearman's correlation of two maps; NaN where one is flat. With the map of the network with random weights: the "
      "sanity check of Adebayo et al., arXiv:1810.03292.");
}

void bind_score_curves(py::module_& m) {
  const py::call_guard<py::gil_scoped_release> freely;
  m.def("blurred", &blurred, freely, py::arg("input"), py::arg("sigma"),
        "Inputs (image, channel, y, x) or (image, channel, z, y, x) under a Gaussian of sigma pixels.");
  m.def("blank", &blank, freely, py::arg("input"), "Each channel of each image at its lowest value.");
  py::class_<ScoreCurve>(m, "ScoreCurve", "A score against the share of pixels that were put in or taken out.")
      .def_readonly("share", &ScoreCurve::share)
      .def_readonly("score", &ScoreCurve::score)
      .def_readonly("area", &ScoreCurve::area);
  const auto curves = [](auto function) {
    return [function](const Explained& explained, const at::Tensor& input, const at::Tensor& maps,
                      const at::Tensor& substitute,
                      std::int64_t steps) { return function(explained, input, maps, substitute, {steps}); };
  };
  const auto defaults = ScoreCurveOptions();
  m.def("insertion_curves", curves(&insertion_curves), freely, py::arg("explained"), py::arg("input"), py::arg("maps"),
        py::arg("substitute"), py::kw_only(), py::arg("steps") = defaults.steps,
        R"(A score while the most important pixels are put into a substitute (RISE, arXiv:1806.07421).

Parameters
----------
explained : Explained
    Its scores alone are asked for.
input : torch.Tensor, (image, channel, y, x) or (image, channel, z, y, x)
maps : torch.Tensor, (image, y, x) or (image, z, y, x)
    Higher is more important. Equal pixels go together.
substitute : torch.Tensor of the input's shape
    What is there before: blurred(input, sigma), say.
steps : int
    Points of a curve behind its first.

Returns
-------
list of ScoreCurve, one for each image; the larger the area, the better the map)");
  m.def("deletion_curves", curves(&deletion_curves), freely, py::arg("explained"), py::arg("input"), py::arg("maps"),
        py::arg("substitute"), py::kw_only(), py::arg("steps") = defaults.steps,
        "The same while the most important pixels are replaced by the substitute's, blank(input)'s, say: the smaller "
        "the area, the better the map.");
}

Joined joined_how(const std::string& text) {
  if (text == "mean") return Joined::mean;
  if (text == "median") return Joined::median;
  throw Error::mismatch(ErrorCode::options, "how", "mean or median", text);
}

void bind_information_curve(py::module_& m) {
  const py::call_guard<py::gil_scoped_release> freely;
  const auto defaults = InformationCurveOptions();
  py::class_<InformationCurve>(m, "InformationCurve", R"(A score against how much of an image there is to see.

Attributes
----------
skipped : str
    Why there is no curve; empty where there is one.
information, score : list of float
    The curve, both from 0 to 1.
area : float
measured_information, measured_score : list of float
    As measured: nothing revealed, each share, the whole image.)")
      .def_readonly("skipped", &InformationCurve::skipped)
      .def_readonly("information", &InformationCurve::information)
      .def_readonly("score", &InformationCurve::score)
      .def_readonly("area", &InformationCurve::area)
      .def_readonly("measured_information", &InformationCurve::measured_information)
      .def_readonly("measured_score", &InformationCurve::measured_score);
  m.def(
      "residual_bytes",
      [](const at::Tensor& image, double low, double high) { return residual_bytes(low, high)(image); }, freely,
      py::arg("image"), py::arg("low"), py::arg("high"),
      "How much there is to see in an image (channel, y, x): entropy of what LOCO-I's predictor leaves, in bytes.");
  m.def(
      "information_curve",
      [](const Explained& explained, const at::Tensor& image, const at::Tensor& map, std::vector<double> shares,
         double least_score, bool monotone, std::int64_t points, Reveal reveal, Information information,
         const std::optional<at::Tensor>& known) {
        return information_curve(explained, image, map,
                                 {std::move(shares), least_score, monotone, points, std::move(reveal),
                                  std::move(information), known.value_or(at::Tensor())});
      },
      freely, py::arg("explained"), py::arg("image"), py::arg("map"), py::kw_only(),
      py::arg("shares") = defaults.shares, py::arg("least_score") = defaults.least_score,
      py::arg("monotone") = defaults.monotone, py::arg("points") = defaults.points, py::arg("reveal") = py::none(),
      py::arg("information") = py::none(), py::arg("known") = py::none(),
      R"(Performance information curve of one image and its map (XRAI, arXiv:1906.02825; saliency's metrics/pic.py).

Parameters
----------
explained : Explained
    Its scores alone are asked for: a softmax (SIC), or 1 for a right and 0 for a wrong class (AIC).
image : torch.Tensor, (channel, y, x)
map : torch.Tensor, (y, x)
shares : list of float
    Shares of pixels that are revealed, ascending.
least_score : float
    An image that scores less is skipped.
monotone : bool
    The curve keeps the highest score so far.
points : int
    Of the curve, beside its last.
reveal : callable or None
    image (channel, y, x) and known pixels (y, x), boolean, to the image with the others guessed. None: a Gaussian of
    one sixteenth of the image's shorter side behind the known ones.
information : callable or None
    Image to how much there is to see. None: residual_bytes over the image's range.
known : torch.Tensor or None
    (y, x), boolean: known from the start.

Returns
-------
InformationCurve)");
  m.def(
      "joined_curves",
      [](const std::vector<InformationCurve>& curves, const std::string& how) {
        return joined(curves, joined_how(how));
      },
      py::arg("curves"), py::kw_only(), py::arg("how") = "median",
      "The curve of all images that were not skipped: 'mean' or 'median' of theirs at each point.");
}

}  // namespace

void bind_judging(py::module_& nn) {
  auto m = nn.def_submodule("attribution");
  bind_localisation(m);
  bind_score_curves(m);
  bind_information_curve(m);
}

}  // namespace ichdet::python
