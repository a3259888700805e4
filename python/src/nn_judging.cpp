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
#include "tensor_like.hpp"

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
  py::class_<evaluate::Pointing>(m, "Pointing", R"(Whether a map's maximum lies on a mask: pointing_game's.

Examples
--------
>>> ichdet.attribution.pointing_game(torch.eye(2), torch.eye(2), tolerance=0).maxima
2)")
      .def_readonly("hit", &evaluate::Pointing::hit, "1 or 0; of several equal maxima the share that hits.")
      .def_readonly("chance", &evaluate::Pointing::chance, "Share of pixels within the tolerance of the mask.")
      .def_readonly("maxima", &evaluate::Pointing::maxima, "How many equal ones there are.");
  m.def(
      "pointing_game",
      [](const TensorLike& map, const TensorLike& mask, double tolerance, const Eigen::Vector3d& spacing) {
        return evaluate::pointing_game(map_of(map), mask_of(mask), {tolerance, spacing});
      },
      freely, py::arg("map"), py::arg("mask"), py::kw_only(), py::arg("tolerance") = 15.0,
      py::arg("spacing") = Eigen::Vector3d(1, 1, 1),
      R"(Whether a map's maximum lies on a mask, or near it: Zhang et al., arXiv:1608.00507.

Parameters
----------
map : torch.Tensor or numpy.ndarray, (y, x) or (z, y, x)
mask : torch.Tensor or numpy.ndarray of the same shape
    Anything but 0 inside.
tolerance : float
    A maximum this near is a hit: pixels, or mm where spacing is mm.
spacing : x, y, z

Returns
-------
Pointing

Examples
--------
>>> map = torch.zeros(4, 4)
>>> map[1, 1] = 1
>>> mask = torch.zeros(4, 4)
>>> mask[1:3, 1:3] = 1
>>> found = ichdet.attribution.pointing_game(map, mask, tolerance=0)
>>> found.hit, found.chance
(1.0, 0.25))");
  m.def(
      "energy_inside",
      [](const TensorLike& map, const TensorLike& mask) { return evaluate::energy_inside(map_of(map), mask_of(mask)); },
      freely, py::arg("map"), py::arg("mask"),
      R"(The share of a map's positive values that lies in a mask: Score-CAM, arXiv:1910.01279.

Parameters
----------
map : torch.Tensor or numpy.ndarray, (y, x) or (z, y, x)
mask : torch.Tensor or numpy.ndarray of the same shape

Returns
-------
float
    In [0, 1]; a uniform map's is the mask's share of pixels.

Examples
--------
>>> ichdet.attribution.energy_inside(torch.tensor([[3.0, 1]]), torch.tensor([[1, 0]]))
0.75)");
  py::class_<evaluate::EqualArea>(m, "EqualArea", R"(How the most important pixels cover a mask: equal_area's.

Examples
--------
>>> ichdet.attribution.equal_area(torch.tensor([[3.0, 1]]), torch.tensor([[1, 0]])).iou
1.0)")
      .def_readonly("precision", &evaluate::EqualArea::precision, "Share of the most important pixels in the mask.")
      .def_readonly("iou", &evaluate::EqualArea::iou, "Intersection over union of the two.");
  m.def(
      "equal_area",
      [](const TensorLike& map, const TensorLike& mask) { return evaluate::equal_area(map_of(map), mask_of(mask)); },
      freely, py::arg("map"), py::arg("mask"),
      R"(How the most important pixels, as many as a mask has, cover it; ties count in part.

Parameters
----------
map : torch.Tensor or numpy.ndarray, (y, x) or (z, y, x)
mask : torch.Tensor or numpy.ndarray of the same shape

Returns
-------
EqualArea

Examples
--------
>>> found = ichdet.attribution.equal_area(torch.tensor([[4.0, 3, 2, 1]]), torch.tensor([[1, 0, 1, 0]]))
>>> found.precision, round(found.iou, 2)
(0.5, 0.33))");
  m.def(
      "pixel_auc",
      [](const TensorLike& map, const TensorLike& mask) { return evaluate::pixel_auc(map_of(map), mask_of(mask)); },
      freely, py::arg("map"), py::arg("mask"), R"(The ROC area of a map as a classifier of a mask's pixels.

Parameters
----------
map : torch.Tensor or numpy.ndarray, (y, x) or (z, y, x)
mask : torch.Tensor or numpy.ndarray of the same shape

Returns
-------
float

Examples
--------
>>> ichdet.attribution.pixel_auc(torch.tensor([[4.0, 3, 2, 1]]), torch.tensor([[1, 0, 1, 0]]))
0.75)");
  m.def(
      "rank_correlation",
      [](const TensorLike& a, const TensorLike& b) { return evaluate::rank_correlation(map_of(a), map_of(b)); }, freely,
      py::arg("a"), py::arg("b"),
      R"(Spearman's correlation of two maps; NaN where one is flat.

With the map of the network with random weights: the sanity check of Adebayo et al., arXiv:1810.03292.

Parameters
----------
a, b : torch.Tensor or numpy.ndarray, (y, x) or (z, y, x)

Returns
-------
float

Examples
--------
>>> ichdet.attribution.rank_correlation(torch.tensor([[1.0, 2, 3]]), torch.tensor([[1.0, 4, 9]]))
1.0)");
}

void bind_score_curves(py::module_& m) {
  const py::call_guard<py::gil_scoped_release> freely;
  m.def(
      "blurred", [](const TensorLike& input, double sigma) { return blurred(input, sigma); }, freely, py::arg("input"),
      py::arg("sigma"),
      R"(An input whose details are gone: a Gaussian along each axis of its images, borders repeated.

Parameters
----------
input : torch.Tensor or numpy.ndarray, (image, channel, y, x) or (image, channel, z, y, x)
sigma : float
    Pixels.

Returns
-------
torch.Tensor of the input's shape

Examples
--------
>>> ichdet.attribution.blurred(torch.ones(1, 1, 2, 2), 1.0)
tensor([[[[1., 1.],
          [1., 1.]]]]))");
  m.def(
      "blank", [](const TensorLike& input) { return blank(input); }, freely, py::arg("input"),
      R"(Each channel of each image at its lowest value: air, of a windowed slice.

Parameters
----------
input : torch.Tensor or numpy.ndarray, (image, channel, y, x) or (image, channel, z, y, x)

Returns
-------
torch.Tensor of the input's shape

Examples
--------
>>> ichdet.attribution.blank(torch.tensor([[[[3.0, 1]]]]))
tensor([[[[1., 1.]]]]))");
  m.def("trapezoids", &trapezoids, py::arg("x"), py::arg("y"), R"(The area under points with ascending x.

Parameters
----------
x, y : list of float

Returns
-------
float

Examples
--------
>>> ichdet.attribution.trapezoids([0, 0.5, 1], [0, 1, 1])
0.75)");
  py::class_<ScoreCurve>(m, "ScoreCurve", R"(A score against the share of pixels that were put in or taken out.

Examples
--------
>>> ichdet.attribution.ScoreCurve.area.__doc__
'Under the curve, by trapezoids.')")
      .def_readonly("share", &ScoreCurve::share, "Of pixels, ascending from 0 to 1.")
      .def_readonly("score", &ScoreCurve::score, "At each share.")
      .def_readonly("area", &ScoreCurve::area, "Under the curve, by trapezoids.");
  const auto curves = [](auto function) {
    return [function](const Explained& explained, const TensorLike& input, const TensorLike& maps,
                      const TensorLike& substitute,
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
input : torch.Tensor or numpy.ndarray, (image, channel, y, x) or (image, channel, z, y, x)
maps : torch.Tensor or numpy.ndarray, (image, y, x) or (image, z, y, x)
    Higher is more important. Equal pixels go together.
substitute : torch.Tensor or numpy.ndarray of the input's shape
    What is there before: blurred(input, sigma), say.
steps : int
    Points of a curve behind its first.

Returns
-------
list of ScoreCurve
    One for each image; the larger the area, the better the map.

Examples
--------
>>> x = torch.tensor([[[[0.0, 1], [2, 5]]]])
>>> explained = ichdet.attribution.Explained(lambda inputs: inputs.sum((2, 3)), 0)
>>> curve = ichdet.attribution.insertion_curves(explained, x, x[:, 0], ichdet.attribution.blank(x), steps=4)[0]
>>> curve.share, curve.score
([0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 5.0, 7.0, 8.0, 8.0]))");
  m.def("deletion_curves", curves(&deletion_curves), freely, py::arg("explained"), py::arg("input"), py::arg("maps"),
        py::arg("substitute"), py::kw_only(), py::arg("steps") = defaults.steps,
        R"(A score while the most important pixels are replaced by a substitute's (RISE, arXiv:1806.07421).

Parameters
----------
explained, input, maps, steps
    As for insertion_curves.
substitute : torch.Tensor or numpy.ndarray of the input's shape
    What is there after: blank(input), say.

Returns
-------
list of ScoreCurve
    One for each image; the smaller the area, the better the map.

Examples
--------
>>> x = torch.tensor([[[[0.0, 1], [2, 5]]]])
>>> explained = ichdet.attribution.Explained(lambda inputs: inputs.sum((2, 3)), 0)
>>> curve = ichdet.attribution.deletion_curves(explained, x, x[:, 0], ichdet.attribution.blank(x), steps=4)[0]
>>> curve.score
[8.0, 3.0, 1.0, 0.0, 0.0])");
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

Examples
--------
>>> ichdet.attribution.InformationCurve.area.__doc__
'Under the curve.')")
      .def_readonly("skipped", &InformationCurve::skipped, "Why there is no curve; empty where there is one.")
      .def_readonly("information", &InformationCurve::information, "Of the curve, from 0 to 1.")
      .def_readonly("score", &InformationCurve::score, "Of the curve, from 0 to 1.")
      .def_readonly("area", &InformationCurve::area, "Under the curve.")
      .def_readonly("measured_information", &InformationCurve::measured_information,
                    "As measured: nothing revealed, each share, the whole image.")
      .def_readonly("measured_score", &InformationCurve::measured_score,
                    "As measured: nothing revealed, each share, the whole image.");
  m.def(
      "residual_bytes",
      [](const TensorLike& image, double low, double high) { return residual_bytes(low, high)(image); }, freely,
      py::arg("image"), py::arg("low"), py::arg("high"),
      R"(How much there is to see in an image: the entropy of what LOCO-I's predictor leaves, in bytes.

Parameters
----------
image : torch.Tensor or numpy.ndarray, (channel, y, x)
low, high : float
    The values that 0 and 255 stand for.

Returns
-------
float

Examples
--------
>>> flat, noise = torch.zeros(1, 16, 16), torch.rand(1, 16, 16)
>>> ichdet.attribution.residual_bytes(flat, 0, 1) < ichdet.attribution.residual_bytes(noise, 0, 1)
True)");
  m.def(
      "before_blur",
      [](const TensorLike& image, const TensorLike& known, double sigma) {
        return before_blur(sigma)(image, known);
      },
      freely, py::arg("image"), py::arg("known"), py::arg("sigma"),
      R"(The known pixels of an image in focus, in front of the image under a Gaussian.

Parameters
----------
image : torch.Tensor or numpy.ndarray, (channel, y, x)
known : torch.Tensor or numpy.ndarray, (y, x), bool
sigma : float
    Pixels.

Returns
-------
torch.Tensor, (channel, y, x)

Examples
--------
>>> image = torch.tensor([[[0.0, 9, 0, 0]]])
>>> known = torch.tensor([[False, True, False, False]])
>>> seen = ichdet.attribution.before_blur(image, known, 1.0)
>>> seen[0, 0, 1], bool(seen[0, 0, 2] > 0)
(tensor(9.), True))");
  m.def(
      "information_curve",
      [](const Explained& explained, const TensorLike& image, const TensorLike& map, std::vector<double> shares,
         double least_score, bool monotone, std::int64_t points, Reveal reveal, Information information,
         const std::optional<TensorLike>& known) {
        return information_curve(explained, image, map,
                                 {std::move(shares), least_score, monotone, points, std::move(reveal),
                                  std::move(information), known ? known->tensor : at::Tensor()});
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
image : torch.Tensor or numpy.ndarray, (channel, y, x)
map : torch.Tensor or numpy.ndarray, (y, x)
shares : list of float
    Shares of pixels that are revealed, ascending.
least_score : float
    An image that scores less is skipped.
monotone : bool
    The curve keeps the highest score so far.
points : int
    Of the curve, beside its last.
reveal : callable or None
    image (channel, y, x) and known pixels (y, x), boolean, to the image with the others guessed. None: before_blur of
    one sixteenth of the image's shorter side behind the known ones.
information : callable or None
    Image to how much there is to see. None: residual_bytes over the image's range.
known : torch.Tensor, numpy.ndarray or None
    (y, x), boolean: known from the start.

Returns
-------
InformationCurve

Examples
--------
>>> image = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0))
>>> map = torch.zeros(32, 32)
>>> map[:16] = 1
>>> explained = ichdet.attribution.Explained(lambda x: x[:, :, :16].std((2, 3)) / image[:, :16].std(), 0)
>>> curve = ichdet.attribution.information_curve(explained, image, map)
>>> curve.skipped, 0 < curve.area <= 1
('', True))");
  m.def(
      "joined_curves",
      [](const std::vector<InformationCurve>& curves, const std::string& how) {
        return joined(curves, joined_how(how));
      },
      py::arg("curves"), py::kw_only(), py::arg("how") = "median",
      R"(The curve of all images that were not skipped.

Parameters
----------
curves : list of InformationCurve
how : 'mean' or 'median'
    Of theirs at each point.

Returns
-------
InformationCurve

Examples
--------
>>> image = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0))
>>> map = torch.zeros(32, 32)
>>> map[:16] = 1
>>> explained = ichdet.attribution.Explained(lambda x: x[:, :, :16].std((2, 3)) / image[:, :16].std(), 0)
>>> curve = ichdet.attribution.information_curve(explained, image, map)
>>> ichdet.attribution.joined_curves([curve, curve]).area == curve.area
True)");
}

}  // namespace

void bind_judging(py::module_& nn) {
  auto m = nn.def_submodule("attribution");
  bind_localisation(m);
  bind_score_curves(m);
  bind_information_curve(m);
}

}  // namespace ichdet::python
