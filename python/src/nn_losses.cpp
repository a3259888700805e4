// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "ichdet/train/losses.hpp"
#include "json.hpp"

namespace ichdet::python {

using namespace train;

void bind_losses(py::module_& m) {
  const OverlapOptions usual;
  // Autograd refuses to run under the interpreter's lock.
  const py::call_guard<py::gil_scoped_release> freely;
  m.def("cross_entropy", &cross_entropy, freely, py::arg("logits"), py::arg("classes"), py::kw_only(),
        py::arg("weights") = std::vector<double>{}, py::arg("smoothing") = 0.0,
        R"(Mean over what is known, as torch's, of logits (N, class, ...) against classes (N, ...).

Classes are integers, 255 where nothing is known; nothing known at all gives 0. So of all losses here. Differentiable.

weights : one for each class; the mean is weighted, too
smoothing : shared out among all classes)");
  m.def("focal", &focal, freely, py::arg("logits"), py::arg("classes"), py::kw_only(), py::arg("gamma") = 2.0,
        py::arg("weights") = std::vector<double>{}, "(1 - p)^gamma times cross entropy, averaged (Lin et al., 2017).");
  m.def(
      "dice",
      [](const at::Tensor& logits, const at::Tensor& classes, bool background, bool batch, double smooth) {
        return dice(logits, classes, {background, batch, smooth});
      },
      freely, py::arg("logits"), py::arg("classes"), py::kw_only(), py::arg("background") = usual.background,
      py::arg("batch") = usual.batch, py::arg("smooth") = usual.smooth,
      R"(1 - Dice of softmax probabilities, averaged over classes and samples (MONAI's DiceLoss).

background : class 0 counts too
batch : sums over the whole batch in place of each sample (nnU-Net)
smooth : added to numerator and denominator)");
  m.def(
      "tversky",
      [](const at::Tensor& logits, const at::Tensor& classes, double false_positive, double false_negative,
         bool background, bool batch, double smooth) {
        return tversky(logits, classes, false_positive, false_negative, {background, batch, smooth});
      },
      freely, py::arg("logits"), py::arg("classes"), py::kw_only(), py::arg("false_positive") = 0.3,
      py::arg("false_negative") = 0.7, py::arg("background") = usual.background, py::arg("batch") = usual.batch,
      py::arg("smooth") = usual.smooth,
      "Tversky's loss (Salehi et al., 2017; MONAI's TverskyLoss); the rest as `dice`.");
  m.def("binary_cross_entropy", &binary_cross_entropy, freely, py::arg("logits"), py::arg("truth"), py::kw_only(),
        py::arg("positive_weights") = std::vector<double>{},
        "Of sigmoids: logits (N, K) against 0 or 1 (N, K), where NaN counts nowhere.");
  m.def("localisation", &localisation, freely, py::arg("map"), py::arg("mask"),
        R"(S3's localisation loss: 1 - Dice of a saliency map (N, h, w) and the blood, class 1 of `mask` (N, H, W).

map : any scale, such as ichdet.attribution.unscaled_map's; what is below 0 counts as 0, the rest over its largest value

Averaged over samples that show blood. That it is Dice, and of Grad-CAM, is ours: the paper does not say.)");
  m.def(
      "loss",
      [](const py::dict& spec, const at::Tensor& logits, const at::Tensor& truth) {
        const auto parsed = loss_spec(from_python(spec), "loss");
        const py::gil_scoped_release unlocked;
        return loss(parsed, logits, truth);
      },
      py::arg("spec"), py::arg("logits"), py::arg("truth"),
      "The loss that a recipe names, such as {'name': 'dice + cross entropy', 'batch': True} (docs/training.md).");
}

}  // namespace ichdet::python
