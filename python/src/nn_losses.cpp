// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "ichdet/train/losses.hpp"
#include "ichdet/train/training_study.hpp"
#include "json.hpp"

namespace ichdet::python {

using namespace train;

namespace {

const OverlapOptions usual;
const LossSpec usual_loss;

void bind_entropies(py::module_& m) {
  // Autograd refuses to run under the interpreter's lock.
  const py::call_guard<py::gil_scoped_release> freely;
  m.def("cross_entropy", &cross_entropy, freely, py::arg("logits"), py::arg("classes"), py::kw_only(),
        py::arg("weights") = std::vector<double>{}, py::arg("smoothing") = usual_loss.smoothing,
        R"(Cross entropy, the mean over what is known, as torch's.

As all losses here: a class of 255 (`unknown_label`) counts nowhere; a batch in which nothing is known gives 0.
Differentiable.

Parameters
----------
logits : torch.Tensor, (N, class, space) or (N, class)
classes : torch.Tensor, (N, space) or (N), of any integer type
weights : list of float
    One for each class; the mean is weighted, too. Empty: all alike.
smoothing : float
    Shared out among all classes.

Returns
-------
torch.Tensor, ()

Raises
------
ichdet.Error
    shape: logits and classes do not fit.

Examples
--------
>>> logits = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
>>> ichdet.train.cross_entropy(logits, torch.tensor([0, 1])).item()
0.126...
>>> ichdet.train.cross_entropy(logits, torch.tensor([0, 255])).item()  # the second is not known
0.126...)");
  m.def("focal", &focal, freely, py::arg("logits"), py::arg("classes"), py::kw_only(),
        py::arg("gamma") = usual_loss.gamma, py::arg("weights") = std::vector<double>{},
        R"((1 - p)^gamma times cross entropy, averaged (Lin et al., ICCV 2017).

Parameters
----------
logits, classes
    As `cross_entropy` has them.
gamma : float
    0: cross entropy.
weights : list of float
    They scale each class's share. Empty: all alike.

Returns
-------
torch.Tensor, ()

Examples
--------
>>> logits, classes = torch.tensor([[2.0, 0.0], [0.0, 2.0]]), torch.tensor([0, 1])
>>> ichdet.train.focal(logits, classes) < ichdet.train.cross_entropy(logits, classes)
tensor(True))");
  m.def("binary_cross_entropy", &binary_cross_entropy, freely, py::arg("logits"), py::arg("truth"), py::kw_only(),
        py::arg("positive_weights") = std::vector<double>{}, R"(Cross entropy of sigmoids, the mean over what is known.

Parameters
----------
logits : torch.Tensor, (N, K)
truth : torch.Tensor, (N, K)
    0 or 1; NaN counts nowhere.
positive_weights : list of float
    They scale the loss of each output's positives. Empty: all alike.

Returns
-------
torch.Tensor, ()

Examples
--------
>>> truth = torch.tensor([[1.0, float("nan")]])
>>> ichdet.train.binary_cross_entropy(torch.zeros(1, 2), truth).item()
0.693...)");
}

void bind_overlaps(py::module_& m) {
  const py::call_guard<py::gil_scoped_release> freely;
  m.def(
      "dice",
      [](const at::Tensor& logits, const at::Tensor& classes, bool background, bool batch, double smooth) {
        return dice(logits, classes, {background, batch, smooth});
      },
      freely, py::arg("logits"), py::arg("classes"), py::kw_only(), py::arg("background") = usual.background,
      py::arg("batch") = usual.batch, py::arg("smooth") = usual.smooth,
      R"(1 - Dice of softmax probabilities, averaged over classes and samples (Milletari et al., 2016; MONAI's DiceLoss).

Parameters
----------
logits, classes
    As `cross_entropy` has them.
background : bool
    Class 0 counts too.
batch : bool
    Sums over the whole batch in place of each sample (nnU-Net).
smooth : float
    Added to numerator and denominator.

Returns
-------
torch.Tensor, ()

Examples
--------
>>> classes = torch.tensor([[[0, 1], [1, 0]]])
>>> sure = 20.0 * torch.nn.functional.one_hot(classes, 2).movedim(-1, 1)
>>> ichdet.train.dice(sure, classes).item() < 1e-4, ichdet.train.dice(-sure, classes).item() > 0.99
(True, True))");
  m.def(
      "tversky",
      [](const at::Tensor& logits, const at::Tensor& classes, double false_positive, double false_negative,
         bool background, bool batch, double smooth) {
        return tversky(logits, classes, false_positive, false_negative, {background, batch, smooth});
      },
      freely, py::arg("logits"), py::arg("classes"), py::kw_only(),
      py::arg("false_positive") = usual_loss.false_positive, py::arg("false_negative") = usual_loss.false_negative,
      py::arg("background") = usual.background, py::arg("batch") = usual.batch, py::arg("smooth") = usual.smooth,
      R"(Tversky's loss: Dice with weights of its own for both mistakes (Salehi et al., 2017; MONAI's TverskyLoss).

Parameters
----------
logits, classes
    As `cross_entropy` has them.
false_positive, false_negative : float
    Weights; 0.5 and 0.5 is Dice.
background, batch, smooth
    As `dice` has them.

Returns
-------
torch.Tensor, ()

Examples
--------
>>> classes = torch.tensor([[[0, 1], [1, 0]]])
>>> logits = torch.zeros(1, 2, 2, 2)
>>> half = ichdet.train.tversky(logits, classes, false_positive=0.5, false_negative=0.5)
>>> torch.isclose(half, ichdet.train.dice(logits, classes), atol=1e-4)
tensor(True))");
  m.def("localisation", &localisation, freely, py::arg("map"), py::arg("mask"),
        R"(S3's localisation loss: 1 - Dice of a saliency map and the blood, averaged over samples that show blood.

Parameters
----------
map : torch.Tensor, (N, h, w)
    Of any scale, such as ichdet.attribution.unscaled_map's; what is below 0 counts as 0, the rest over its largest
    value.
mask : torch.Tensor, (N, H, W)
    Of classes, of which 1 is blood; the map is brought to its size.

Returns
-------
torch.Tensor, ()

Notes
-----
The paper says that a segmentation loss of the last convolution's saliency map is added, not which: Dice and Grad-CAM
are ours.

Examples
--------
>>> mask = torch.zeros(1, 8, 8, dtype=torch.uint8)
>>> mask[:, :4] = 1
>>> ichdet.train.localisation(mask.float(), mask).item() < 0.01
True)");
}

}  // namespace

void bind_losses(py::module_& m) {
  bind_entropies(m);
  bind_overlaps(m);
  m.attr("unknown_label") = int(unknown_label);
  m.def(
      "loss",
      [](const JsonDict& spec, const at::Tensor& logits, const at::Tensor& truth) {
        const auto parsed = loss_spec(from_python(spec), "loss");
        const py::gil_scoped_release unlocked;
        return loss(parsed, logits, truth);
      },
      py::arg("spec"), py::arg("logits"), py::arg("truth"), R"(The loss that a recipe names.

Parameters
----------
spec : dict
    Such as {'name': 'dice + cross entropy', 'batch': True}: a recipe's training.loss (docs/training.md).
logits, truth
    As the loss of that name has them.

Returns
-------
torch.Tensor, ()

Raises
------
ichdet.Error
    weights: no such loss or setting.

Examples
--------
>>> logits, classes = torch.zeros(1, 2, 4, 4), torch.ones(1, 4, 4, dtype=torch.long)
>>> both = ichdet.train.loss({"name": "dice + cross entropy"}, logits, classes)
>>> torch.isclose(both, ichdet.train.dice(logits, classes) + ichdet.train.cross_entropy(logits, classes))
tensor(True))");
  m.def(
      "deep_loss",
      [](const JsonDict& spec, const std::vector<at::Tensor>& heads, const at::Tensor& truth) {
        const auto parsed = loss_spec(from_python(spec), "deep_loss");
        const py::gil_scoped_release unlocked;
        return deep_loss(parsed, heads, truth);
      },
      py::arg("spec"), py::arg("heads"), py::arg("truth"), R"(The loss of several heads: deep supervision.

Parameters
----------
spec : dict
    As `loss` has it; its 'deep_supervision' weighs the heads, finest first. Without it the finest alone counts.
heads : list of torch.Tensor
    Such as those of `ichdet.nn.Module.forward_deep`.
truth : torch.Tensor, (N, space)
    Brought to each head's size by its nearest pixels.

Returns
-------
torch.Tensor, ()

Examples
--------
>>> heads = [torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 4, 4)]
>>> spec = {"name": "cross entropy", "deep_supervision": [2, 1]}
>>> ichdet.train.deep_loss(spec, heads, torch.ones(1, 8, 8, dtype=torch.long)).item()
0.693...)");
}

}  // namespace ichdet::python
