#include "ichdet/attribution/explained.hpp"

// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/functional.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "callable.hpp"
#include "explained.hpp"
#include "network.hpp"

namespace ichdet::python {
namespace {

using attribution::Explained;

/// Scores are those of what was prepared of the module, and so are the gradients of one class.
Explained explained_network(const Network& network, const TargetArgument& target, std::int64_t batch) {
  const auto made_target = target_of(target);
  const auto plain = [module = network.shared()](const at::Tensor& x) { return module->forward(x); };
  auto made = attribution::explained(plain, made_target, batch);
  made.scores = attribution::explained(network.prepared(), made_target, batch).scores;
  if (target && std::holds_alternative<std::int64_t>(*target)) {
    const auto score = [plain, made_target](const at::Tensor& x) { return made_target(plain(x)); };
    made.gradients = prepare_gradient(network.shared(), score, network.prepared().options());
  }
  return made;
}

using TensorFunctionArgument = std::optional<TensorFunction>;

}  // namespace

void bind_explained(py::module_& nn) {
  auto m = nn.def_submodule("attribution");
  py::class_<Explained>(m, "Explained", R"(What is explained: a score of an input, and its gradient.

Parameters
----------
forward : ichdet.nn.Network, torch.nn.Module in evaluation mode, or any callable that torch differentiates
    Input (image, channel, y, x) or (image, channel, z, y, x) to output, each image by itself. A Network's scores, and
    the gradients of one class, are computed as it is prepared, in float32; gradients of other targets by torch.
target : int, callable or None
    A class of the output (image, class), or a function of the output to scores, (image) or (image, ...), which are
    summed for each image; None: each input's highest output, whichever that is where a method moves the input to.
batch : int
    Inputs that forward is given at once, at most.

Examples
--------
>>> network = lambda x: x.flatten(1) @ torch.tensor([[1.0, 0], [0, 2], [0, 0], [0, -1]])  # 2 x 2 pixels, 2 classes
>>> explained = ichdet.attribution.Explained(network, 1)
>>> x = torch.tensor([[[[3.0, 1], [0, 2]]]])
>>> explained.scores(x)
tensor([0.], dtype=torch.float64)
>>> explained.gradients(x)
tensor([[[[ 0.,  2.],
          [ 0., -1.]]]])
>>> plain = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2)).eval()  # any module
>>> ichdet.attribution.Explained(plain, lambda output: output[:, 0] - output[:, 1]).scores(x).shape
torch.Size([1]))")
      .def(py::init(&explained_network), py::arg("forward"), py::arg("target"), py::arg("batch") = 1)
      .def(py::init([](const Forward& forward, const TargetArgument& target, std::int64_t batch) {
             return attribution::explained(forward, target_of(target), batch);
           }),
           py::arg("forward"), py::arg("target"), py::arg("batch") = 1)
      .def_static(
          "from_functions",
          [](const TensorFunctionArgument& scores, const TensorFunctionArgument& gradients, std::int64_t batch) {
            return Explained{scores ? held(*scores) : Forward(), gradients ? held(*gradients) : Forward(), batch};
          },
          py::arg("scores") = py::none(), py::arg("gradients") = py::none(), py::arg("batch") = 1,
          R"(From functions of one's own, of a batch of inputs as a torch.Tensor.

Parameters
----------
scores : callable or None
    One score for each input, (image): torch.Tensor or numpy.ndarray. Methods that take only gradients do without.
gradients : callable or None
    The gradients of these scores, of the inputs' shape. Methods that take only scores do without.
batch : int
    Inputs that a function is given at once, at most.

Returns
-------
Explained

Examples
--------
>>> sums = ichdet.attribution.Explained.from_functions(lambda x: x.numpy().sum((1, 2, 3)))
>>> sums.scores(torch.ones(2, 1, 3, 3))
tensor([9., 9.], dtype=torch.float64))")
      .def_readwrite("batch", &Explained::batch, "Inputs that a function is given at once, at most.")
      .def(
          "scores",
          [](const Explained& explained, const TensorLike& inputs) {
            return attribution::scores_of(explained, inputs);
          },
          py::call_guard<py::gil_scoped_release>(), py::arg("inputs"),
          "One score for each input (image, channel, ...), torch or NumPy: (image), float64. Raises ichdet.Error "
          "(options, shape) where there are no scores, or not one finite one for each input.")
      .def(
          "gradients",
          [](const Explained& explained, const TensorLike& inputs) {
            return attribution::gradients_of(explained, inputs);
          },
          py::call_guard<py::gil_scoped_release>(), py::arg("inputs"),
          "Their gradients, of the inputs' shape and type. Raises ichdet.Error likewise.");
}

}  // namespace ichdet::python
