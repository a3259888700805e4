// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "ichdet/nn/onnx.hpp"
#include "ichdet/nn/torchscript.hpp"
#include "ichdet/pipeline/export.hpp"
#include "ichdet/pipeline/open_detector.hpp"
#include "network.hpp"
#include "options.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

using Shape = std::vector<std::int64_t>;
using BundleArgument = std::variant<Path, Bundle>;

Bundle bundle_of(const BundleArgument& given) {
  if (const auto* bundle = std::get_if<Bundle>(&given)) return *bundle;
  const auto name = std::get<Path>(given).string();
  auto bundles = open_named({name});
  if (bundles.size() == 1) return std::move(bundles.front());
  std::string members;
  for (const auto& bundle : bundles) members += (members.empty() ? "" : ", ") + bundle.spec.name;
  throw Error::mismatch(ErrorCode::options, "export: " + name, "a model of one network", members);
}

using ShapeTuple = py::typing::Tuple<std::int64_t, py::ellipsis>;

ShapeTuple to_tuple(const Shape& shape) { return py::tuple(py::cast(shape)); }

/// What a file is written from.
struct Source {
  std::shared_ptr<torch::nn::Module> module;
  Forward forward;
};

Source source_of(const Network& network) {
  auto* module = &network.module();
  return {module->shared_from_this(), [module](const at::Tensor& x) { return module->forward(x); }};
}

}  // namespace

void bind_export(py::module_& m) {
  const OnnxOptions onnx;
  const ExportOptions defaults;
  m.def(
      "write_onnx",
      [](const Network& network, const Path& file, const Shape& shape, const std::string& input,
         const std::string& output, const std::map<std::string, std::string>& metadata) {
        const auto source = source_of(network);
        unlocked([&] { write_onnx(file, source.module, source.forward, shape, {input, output, metadata}); });
      },
      py::arg("network"), py::arg("file"), py::arg("shape"), py::kw_only(), py::arg("input") = onnx.input,
      py::arg("output") = onnx.output, py::arg_v("metadata", onnx.metadata, "{}"),
      R"(Write a network as ONNX (opset 17, float32) for inputs of one shape, batch norm folded into the convolutions.

Parameters
----------
network : ichdet.nn.Network
file : str or PathLike
shape : sequence of int
    Of the input, batch and channels included.
input, output : str
    Names of the tensors.
metadata : dict of str to str
    Kept in the file's metadata_props.

Raises
------
ichdet.Error
    options: an operator that has no counterpart. limit: weights of 2 GB and more. io.

Examples
--------
>>> network = ichdet.nn.create("ResNet18", {"num_classes": 2})
>>> ichdet.nn.write_onnx(network, "resnet18.onnx", (1, 3, 64, 64))
>>> pathlib.Path("resnet18.onnx").stat().st_size > 44_000_000
True)");
  m.def(
      "write_torchscript",
      [](const Network& network, const Path& file, const Shape& shape) {
        const auto source = source_of(network);
        unlocked([&] { write_torchscript(file, source.module, source.forward, shape); });
      },
      py::arg("network"), py::arg("file"), py::arg("shape"),
      R"(Write a network as TorchScript for inputs of one shape, batch norm folded into the convolutions.

Parameters
----------
network : ichdet.nn.Network
file : str or PathLike
shape : sequence of int
    Of the input, batch and channels included.

Raises
------
ichdet.Error
    io.

Examples
--------
>>> network = ichdet.nn.create("ResNet18", {"num_classes": 2})
>>> ichdet.nn.write_torchscript(network, "resnet18.pt", (1, 3, 64, 64))
>>> torch.jit.load("resnet18.pt")(torch.zeros(1, 3, 64, 64)).shape
torch.Size([1, 2]))");
  m.def(
      "input_shape",
      [](const BundleArgument& model, std::int64_t batch) {
        return to_tuple(input_shape(bundle_of(model).spec, batch));
      },
      py::arg("model"), py::arg("batch") = 1,
      R"(What a model's network reads.

Parameters
----------
model : str, PathLike or ichdet.Bundle
    Of one network.
batch : int

Returns
-------
tuple of int
    (batch, channel, row, column) of classifiers, (batch, slice, channel, row, column) of exam classifiers, (batch,
    channel, and the patch's axes in the network's order) of segmenters.

Examples
--------
>>> ichdet.nn.input_shape("s1")
(1, 3, 512, 512))");
  m.def(
      "export_network",
      [](const BundleArgument& model, const Path& file, const std::string& format, std::int64_t batch,
         const std::string& python, const ProgressArgument& progress) {
        const ExportOptions options{parse_export_format(format), batch, python};
        return to_tuple(watched(
            progress, [&](const Progress& tell) { return export_network(bundle_of(model), file, options, tell); }));
      },
      py::arg("model"), py::arg("file"), py::kw_only(), py::arg("format") = to_string(defaults.format),
      py::arg("batch") = defaults.batch, py::arg("python") = defaults.python, py::arg("progress") = py::none(),
      R"(Write a model's network for programs without ichdet: windowed HU in, logits out.

Parameters
----------
model : str, PathLike or ichdet.Bundle
    Of one network, by name or folder.
file : str or PathLike
format : 'onnx' or 'torch-export'
    ONNX of opset 17, with bundle.json in its metadata under "ichdet.bundle"; or torch.export's .pt2.
batch : int
    Inputs at a time: the file is for this many.
python : str
    Of torch-export: the Python with torch that writes it; "": the one ichdet was built with, or the one on PATH.
progress : None, True or callable

Returns
-------
tuple of int
    The input's shape.

Raises
------
ichdet.Error
    options: a model of several networks, an operator that has no counterpart. limit: weights of 2 GB and more. io.
    weights: no Python with torch.

Examples
--------
>>> ichdet.nn.export_network("brain", "brain.onnx")
(1, 1, 80, 112, 96))");
}

}  // namespace ichdet::python
