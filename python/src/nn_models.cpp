#include <ATen/Functions.h>
#include <pybind11/stl/filesystem.h>
#include <torch/csrc/autograd/autograd.h>

#include <nlohmann/json.hpp>

#include "convert.hpp"
#include "ichdet/models/create.hpp"
#include "ichdet/models/efficient_classification.hpp"
#include "ichdet/models/load.hpp"
#include "ichdet/models/segmentation_network.hpp"
#include "ichdet/models/viola_unet.hpp"
#include "ichdet/nn/denormals.hpp"
#include "network.hpp"

namespace ichdet::python {
namespace {

using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;

at::Tensor to_tensor(const FloatArray& values) {
  const std::vector<std::int64_t> shape(values.shape(), values.shape() + values.ndim());
  return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat);
}

FloatArray to_numpy(const at::Tensor& tensor) {
  const auto values = tensor.detach().to(at::kFloat).contiguous();
  FloatArray array(std::vector<py::ssize_t>(values.sizes().begin(), values.sizes().end()));
  std::copy_n(values.data_ptr<float>(), values.numel(), array.mutable_data());
  return array;
}

std::vector<FloatArray> to_numpy(const std::vector<at::Tensor>& tensors) {
  std::vector<FloatArray> arrays;
  for (const auto& tensor : tensors) arrays.push_back(to_numpy(tensor));
  return arrays;
}

/// As inference runs: without gradients, with denormal numbers flushed, without the interpreter's lock.
template <class Body>
auto plainly(Body&& body) {
  return unlocked([&] {
    const c10::InferenceMode no_gradients;
    const InferenceThreads threads;
    return body();
  });
}

py::dict state_dict(const Network& network) {
  py::dict dict;
  for (const auto& item : network.module().named_parameters()) dict[item.key().c_str()] = to_numpy(item.value());
  for (const auto& item : network.module().named_buffers()) dict[item.key().c_str()] = to_numpy(item.value());
  return dict;
}

py::dict gradients(const Network& network, const FloatArray& x, const FloatArray& cotangent) {
  const auto input = to_tensor(x), weights = to_tensor(cotangent);
  std::vector<std::string> names;
  std::vector<at::Tensor> parameters;
  for (const auto& item : network.module().named_parameters()) {
    names.push_back(item.key());
    parameters.push_back(item.value());
  }
  const auto found = unlocked([&] {
    return torch::autograd::grad({network.module().forward(input)}, parameters, {weights}, std::nullopt,
                                 /*create_graph=*/false, /*allow_unused=*/true);
  });
  py::dict dict;
  for (std::size_t i = 0; i < names.size(); ++i) {
    dict[names[i].c_str()] = found[i].defined() ? py::object(to_numpy(found[i])) : py::none();
  }
  return dict;
}

nlohmann::json to_json(const py::dict& options) {
  return nlohmann::json::parse(py::module_::import("json").attr("dumps")(options).cast<std::string>());
}

py::dict to_dict(const Preparation& made) {
  return py::dict(py::arg("engine") = to_string(made.engine), py::arg("precision") = to_string(made.precision),
                  py::arg("form") = made.form, py::arg("reason") = made.reason, py::arg("seconds") = made.seconds,
                  py::arg("activations_mib") = made.activations_mib);
}

}  // namespace

void bind_models(py::module_& m) {
  py::class_<Network>(m, "Network", R"(A network, plain and made ready for inference. From `create`, or from a bundle:

Parameters
----------
bundle : path of the bundle's folder
precision : 'float32' or 'bfloat16'
engine : 'auto', 'native', 'torch' or 'openvino'
threads : int, 0 for LibTorch's own choice)")
      .def(py::init([](const std::filesystem::path& bundle, const std::string& precision, const std::string& engine,
                       int threads) {
             return Network(unlocked([&] { return models::load(open_bundle(bundle)); }), precision, engine, threads);
           }),
           py::arg("bundle"), py::kw_only(), py::arg("precision") = "float32", py::arg("engine") = "auto",
           py::arg("threads") = 0)
      .def(
          "__call__",
          [](const Network& network, const FloatArray& x) {
            const auto input = to_tensor(x);
            return to_numpy(unlocked([&] { return network.prepared()(input); }));
          },
          py::arg("x"), "Logits of an input (N, channels, [D,] H, W), through the prepared network.")
      .def("prepare", &Network::prepare, py::kw_only(), py::arg("precision") = "float32", py::arg("engine") = "auto",
           py::arg("threads") = 0, "Choose again how calls are run.")
      .def(
          "preparation",
          [](const Network& network, const std::vector<std::int64_t>& shape) {
            return to_dict(unlocked([&] { return network.prepared().preparation(shape); }));
          },
          py::arg("shape"), "What runs for inputs of this shape; prepares it where that has not happened yet.")
      .def(
          "verify",
          [](const Network& network, const FloatArray& x) {
            const auto input = to_tensor(x);
            const auto found = unlocked([&] { return verify(network.prepared(), network.shared(), input); });
            return py::dict(py::arg("largest") = found.largest, py::arg("mean") = found.mean,
                            py::arg("range") = found.range);
          },
          py::arg("x"), "Largest and mean difference of the prepared network's logits from the plain one's.")
      .def(
          "forward",
          [](const Network& network, const FloatArray& x) {
            const auto input = to_tensor(x);
            return to_numpy(plainly([&] { return network.module().forward(input); }));
          },
          py::arg("x"), "Logits through the plain module, layer by layer.")
      .def(
          "forward_features",
          [](const Network& network, const FloatArray& x) {
            const auto input = to_tensor(x);
            return to_numpy(plainly([&] { return network.module().forward_features(input); }));
          },
          py::arg("x"), "What the head decides from; a classifier's last feature map, (N, C, h, w).")
      .def(
          "forward_pool",
          [](const Network& network, const FloatArray& features) {
            const auto input = to_tensor(features);
            auto& classifier = network.as<models::Classifier>("pre-logits");
            return to_numpy(plainly([&] { return classifier.forward_pool(input); }));
          },
          py::arg("features"), "Features to pre-logits, what a classifier's last layer reads.")
      .def(
          "forward_head",
          [](const Network& network, const FloatArray& features) {
            const auto input = to_tensor(features);
            return to_numpy(plainly([&] { return network.module().forward_head(input); }));
          },
          py::arg("features"), "Features to logits.")
      .def(
          "pyramid",
          [](const Network& network, const FloatArray& x) {
            const auto input = to_tensor(x);
            auto& family = network.as<models::EfficientClassificationImpl>("pyramid");
            return to_numpy(plainly([&] { return family.pyramid(input); }));
          },
          py::arg("x"), "EfficientClassification: the five maps of EfficientDet.")
      .def(
          "fuse",
          [](const Network& network, const std::vector<FloatArray>& maps) {
            std::vector<at::Tensor> inputs;
            for (const auto& map : maps) inputs.push_back(to_tensor(map));
            auto& family = network.as<models::EfficientClassificationImpl>("pyramid");
            return to_numpy(plainly([&] { return family.fuse(inputs); }));
          },
          py::arg("maps"), "EfficientClassification: five maps to ResNet's input.")
      .def(
          "forward_deep",
          [](const Network& network, const FloatArray& x, bool stack) -> py::object {
            const auto input = to_tensor(x);
            auto& family = network.as<models::SegmentationNetwork>("deep supervision");
            const auto heads = plainly([&] { return family.forward_deep(input); });
            if (!stack) return py::cast(to_numpy(heads));
            return to_numpy(plainly([&] { return models::stack_heads(heads); }));
          },
          py::arg("x"), py::kw_only(), py::arg("stack") = false,
          R"(A segmentation network's logits of all heads, finest first, each at its own size.

With stack=True as one array (N, heads, classes, ...), the coarser ones repeated to the first one's size.)")
      .def(
          "attentions",
          [](const Network& network, const FloatArray& x) {
            const auto input = to_tensor(x);
            auto& family = network.as<models::ViolaUnetImpl>("VIOLA attention");
            return to_numpy(plainly([&] { return family.attentions(input); }));
          },
          py::arg("x"), "ViolaUnet: what each attention multiplies its input by, coarsest first.")
      .def("gradients", &gradients, py::arg("x"), py::arg("cotangent"),
           "Gradients of sum(logits * cotangent) by parameter name, through the plain module; None where none flows.")
      .def("load_state_dict", &Network::load_state_dict, py::arg("file"), py::kw_only(), py::arg("adapt") = false,
           R"(Fill in a .safetensors file or a state dict of torch.save; returns what was done to it, in words.

With adapt=True as timm loads pretrained weights: the first convolution is adapted to the network's input channels, and
a last layer for another number of classes is left out. Error lists the tensors that are missing, unexpected, or of
another shape.)")
      .def("reset_classifier", &Network::reset_classifier, py::arg("num_classes"),
           "A fresh last layer of as many outputs, its weights random; 0: none.")
      .def(
          "save_state_dict",
          [](const Network& network, const std::filesystem::path& file) { save_state_dict(network.module(), file); },
          py::arg("file"), "Write parameters and buffers as a .safetensors file.")
      .def("state_dict", &state_dict, "Parameters and buffers by name, as arrays of float32.")
      .def_property_readonly("name", [](const Network& network) { return network.module().name(); });

  m.def("architectures", &models::architectures, "The names that `create` knows.");
  m.def(
      "create",
      [](const std::string& architecture, const py::dict& options, const std::string& precision,
         const std::string& engine, int threads) {
        const auto json = to_json(options);
        return Network(unlocked([&] { return models::create(architecture, json, "create"); }), precision, engine,
                       threads);
      },
      py::arg("architecture"), py::arg("options") = py::dict(), py::kw_only(), py::arg("precision") = "float32",
      py::arg("engine") = "auto", py::arg("threads") = 0,
      "A Network of random weights. `options` are those of the family, such as {'num_classes': 2, 'in_chans': 1}.");
}

}  // namespace ichdet::python
