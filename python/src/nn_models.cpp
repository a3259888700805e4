#include <ATen/Functions.h>
#include <pybind11/stl/filesystem.h>
#include <torch/csrc/autograd/autograd.h>

// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "convert.hpp"
#include "ichdet/models/create.hpp"
#include "ichdet/models/efficient_classification.hpp"
#include "ichdet/models/load.hpp"
#include "ichdet/models/segmentation_network.hpp"
#include "ichdet/models/viola_unet.hpp"
#include "ichdet/nn/denormals.hpp"
#include "json.hpp"
#include "plain.hpp"
#include "python_network.hpp"
#include "tensors.hpp"

namespace ichdet::python {
namespace {

using Path = std::filesystem::path;
using Tensors = std::vector<at::Tensor>;
using Gradients = std::map<std::string, std::optional<at::Tensor>>;

/// As inference runs: without gradients, with denormal numbers flushed.
template <class Body>
auto plainly(Body&& body) {
  const c10::InferenceMode no_gradients;
  const InferenceThreads threads;
  return guarded(body);
}

/// A method of torch tensors and of arrays, which answers in the kind that it was asked in. No copy is made of either,
/// unless they are of another type than float32, or an array is not C-contiguous.
template <class Body>
void define_both(py::class_<Network>& c, const char* name, const Body& body, const char* argument, const char* doc) {
  c.def(
      name,
      [body](const Network& network, const at::Tensor& x) {
        return unlocked([&] { return out_of_inference(body(network, x.detach().to(at::kFloat))); });
      },
      py::arg(argument), doc);
  c.def(
      name,
      [body](const Network& network, const Floats& x) {
        const auto input = to_tensor(x);
        return to_numpy(unlocked([&] { return body(network, input); }));
      },
      py::arg(argument));
}

PrepareOptions prepare_options(const std::string& precision, const std::string& engine, int threads,
                               const std::string& device, double memory_mib,
                               const std::optional<Path>& cache_folder) {
  PrepareOptions options;
  options.precision = parse_precision(precision);
  options.engine = parse_engine(engine);
  options.threads = threads;
  options.device = device;
  options.memory_mib = memory_mib;
  options.cache_folder = cache_folder.value_or(Path());
  return options;
}

DType dtype_of(const std::string& name) {
  for (const auto& [known, dtype] : {std::pair("f32", DType::f32), {"bf16", DType::bf16}, {"f16", DType::f16}}) {
    if (name == known) return dtype;
  }
  throw Error::mismatch(ErrorCode::options, "dtype", "one of f32, bf16, f16", name);
}

/// How every function that prepares a network is told how.
template <class Define>
void with_prepare_arguments(Define&& define) {
  const PrepareOptions usual;
  define(py::kw_only(), py::arg("precision") = to_string(usual.precision), py::arg("engine") = to_string(usual.engine),
         py::arg("threads") = usual.threads, py::arg("device") = usual.device,
         py::arg("memory_mib") = usual.memory_mib, py::arg("cache_folder") = py::none());
}

std::map<std::string, at::Tensor> state_dict(const Network& network) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& item : network.module().named_parameters()) tensors[item.key()] = item.value().detach();
  for (const auto& item : network.module().named_buffers()) tensors[item.key()] = item.value().detach();
  return tensors;
}

/// Tensors as they are, arrays as tensors of the same memory.
StateDict to_state_dict(const std::map<std::string, py::object>& values) {
  const auto as_tensor = py::module_::import("torch").attr("as_tensor");
  StateDict weights;
  weights.source = "state dict";
  for (const auto& [name, value] : values) {
    weights.tensors[name] = as_tensor(value).cast<at::Tensor>().detach().to(at::kCPU);
  }
  return weights;
}

Gradients gradients(const Network& network, const at::Tensor& input, const at::Tensor& cotangent) {
  std::vector<std::string> names;
  Tensors parameters;
  for (const auto& item : network.module().named_parameters()) {
    names.push_back(item.key());
    parameters.push_back(item.value());
  }
  const auto found = unlocked([&] {
    return guarded([&] {
      return torch::autograd::grad({network.module().forward(input)}, parameters, {cotangent}, std::nullopt,
                                   /*create_graph=*/false, /*allow_unused=*/true);
    });
  });
  Gradients by_name;
  for (std::size_t i = 0; i < names.size(); ++i) {
    by_name[names[i]] = found[i].defined() ? std::optional(found[i]) : std::nullopt;
  }
  return by_name;
}

void bind_preparation(py::module_& m) {
  py::class_<Preparation>(m, "Preparation", R"(What was made of a network for inputs of one shape.

Examples
--------
>>> network = ichdet.nn.create("ResNet18", {"num_classes": 2, "layers": [1, 1, 1, 1]}, engine="torch")
>>> made = network.preparation((1, 3, 32, 32))
>>> made.engine, made.precision, made.reason
('torch', 'float32', ''))")
      .def_readonly("shape", &Preparation::shape, "The input's.")
      .def_property_readonly(
          "engine", [](const Preparation& made) { return to_string(made.engine); }, "'native', 'torch' or 'openvino'.")
      .def_property_readonly(
          "precision", [](const Preparation& made) { return to_string(made.precision); }, "'float32' or 'bfloat16'.")
      .def_readonly("form", &Preparation::form, "What runs, in words.")
      .def_readonly("reason", &Preparation::reason, "Why another engine than the one asked for runs; else empty.")
      .def_readonly("seconds", &Preparation::seconds, "That preparing took: the first call's extra cost.")
      .def_readonly("activations_mib", &Preparation::activations_mib,
                    "Memory held during a call, beside input, output and weights, in MiB.")
      .def("__repr__", [](const Preparation& made) {
        return "<ichdet.nn.Preparation: " + to_string(made.engine) + ", " + to_string(made.precision) + ", " +
               made.form + ">";
      });
  py::class_<Difference>(m, "Difference", R"(How far a prepared network is from the plain one on an input.

Examples
--------
>>> network = ichdet.nn.create("ResNet18", {"num_classes": 2, "layers": [1, 1, 1, 1]})
>>> found = network.verify(np.ones((1, 3, 32, 32), np.float32))
>>> found.largest <= 1e-4 * found.range
True)")
      .def_readonly("largest", &Difference::largest, "Of all logits.")
      .def_readonly("mean", &Difference::mean, "Of all logits.")
      .def_readonly("range", &Difference::range, "Largest magnitude of the plain network's logits.")
      .def("__repr__", [](const Difference& found) {
        return "<ichdet.nn.Difference: largest " + std::to_string(found.largest) + " of a range of " +
               std::to_string(found.range) + ">";
      });
  m.def("has_fast_bfloat16", &has_fast_bfloat16, R"(Whether this CPU multiplies bfloat16 matrices in hardware (AMX).

Returns
-------
bool
    Then precision='bfloat16' is many times as fast as float32; elsewhere it is slower.

Examples
--------
>>> precision = "bfloat16" if ichdet.nn.has_fast_bfloat16() else "float32"
>>> ichdet.nn.create("ResNet18", {"num_classes": 2, "layers": [1, 1, 1, 1]}, precision=precision).name
'ichdet::models::ResNetImpl')");
}

}  // namespace

void bind_models(py::module_& m) {
  bind_preparation(m);
  py::class_<Network> network(m, "Network", R"(A network, plain and made ready for inference. From `create`, a bundle, or `prepare`.

Called with images (N, channels, H, W) or volumes (N, channels, D, H, W), float32, it gives logits: NumPy arrays for
arrays, tensors for tensors, on the same memory that the network read and wrote (arrays that are not C-contiguous or of
another type are converted). A call runs without gradients, without the interpreter's lock, and with denormal numbers
flushed; several threads may call at once. To train, take `module()`.

Parameters
----------
bundle : str or path
    A bundle's folder.
precision : str
    'float32' ('auto' is the same here) or 'bfloat16': multiplication in bfloat16, sums in float32; fast where
    `has_fast_bfloat16`.
engine : str
    'auto' (what was fastest when measured), 'native' (ichdet's own kernels), 'torch' (the reference) or 'openvino'.
    Where an engine cannot take the network torch runs it, and `preparation` says why.
threads : int
    0: as many as torch is set to use.
device : str
    'cpu', or 'cuda', 'cuda:1', ... where torch has it.
memory_mib : float
    A call whose activations would need more is refused; 0: no ceiling.
cache_folder : path or None
    Where an engine may keep compiled networks from run to run (OpenVINO does).

Raises
------
ichdet.Error
    weights: the bundle is damaged, or does not fit its architecture. options: no such precision, engine or device; in
    a call: the weights have changed since `prepare`, or the module is in training mode. shape: an input that the
    network does not take. limit: above `memory_mib`.

Examples
--------
>>> network = ichdet.nn.create("ResNet18", {"num_classes": 2, "layers": [1, 1, 1, 1]})
>>> network(np.zeros((4, 3, 32, 32), np.float32)).shape
(4, 2)
>>> network(torch.zeros(4, 3, 32, 32)).shape
torch.Size([4, 2]))");

  with_prepare_arguments([&](const auto&... how) {
    network.def(py::init([](const Path& place, const std::string& precision, const std::string& engine, int threads,
                            const std::string& device, double memory_mib, const std::optional<Path>& cache_folder) {
                  const auto options =
                      prepare_options(precision, engine, threads, device, memory_mib, cache_folder);
                  const auto bundle = unlocked([&] { return open_bundle(place); });
                  return Network(unlocked([&] { return models::load(bundle); }),
                                 {bundle.spec.architecture, bundle.spec.options}, options);
                }),
                py::arg("bundle"), how...);
    network.def(
        "prepare",
        [](Network& self, const std::string& precision, const std::string& engine, int threads,
           const std::string& device, double memory_mib, const std::optional<Path>& cache_folder) {
          self.prepare(prepare_options(precision, engine, threads, device, memory_mib, cache_folder));
        },
        how..., R"(Chooses again how calls are run, and takes in weights that have changed.

The parameters are the class's. Preparing folds the weights into what runs: where they were written to since (by an
optimiser, by load_state_dict of a module), calls raise until this is called. Writing through `.data` is not noticed.)");
  });

  define_both(
      network, "__call__", [](const Network& n, const at::Tensor& x) { return n.prepared()(x); }, "x",
      "Logits of an input (N, channels, [D,] H, W), through the prepared network.");
  network
      .def(
          "preparation",
          [](const Network& n, const std::vector<std::int64_t>& shape) {
            return unlocked([&] { return n.prepared().preparation(shape); });
          },
          py::arg("shape"), "What runs for inputs of this shape; prepares it where that has not happened yet.")
      .def(
          "warm_up",
          [](const Network& n, const std::vector<std::int64_t>& shape) {
            return unlocked([&] { return n.prepared().warm_up(shape); });
          },
          py::arg("shape"), "Pays ahead for the first call with this shape, and runs one on zeros.")
      .def_property_readonly(
          "takes_any_shape", [](const Network& n) { return n.prepared().takes_any_shape(); },
          "Whether a new shape costs next to nothing; else the first call with it is slow.")
      .def(
          "verify",
          [](const Network& n, const at::Tensor& x) {
            return unlocked([&] { return verify(n.prepared(), n.shared(), x); });
          },
          py::arg("x"), "How far the prepared network's logits are from the plain one's.")
      .def(
          "verify",
          [](const Network& n, const Floats& x) {
            const auto input = to_tensor(x);
            return unlocked([&] { return verify(n.prepared(), n.shared(), input); });
          },
          py::arg("x"));
  define_both(
      network, "forward",
      [](const Network& n, const at::Tensor& x) { return plainly([&] { return n.module().forward(x); }); }, "x",
      "Logits through the plain module, layer by layer.");
  define_both(
      network, "forward_features",
      [](const Network& n, const at::Tensor& x) { return plainly([&] { return n.module().forward_features(x); }); },
      "x", "What the head decides from; a classifier's last feature map, (N, C, h, w).");
  define_both(
      network, "forward_pool",
      [](const Network& n, const at::Tensor& x) {
        auto& classifier = n.as<models::Classifier>("pre-logits");
        return plainly([&] { return classifier.forward_pool(x); });
      },
      "features", "Features to pre-logits, what a classifier's last layer reads, (N, C).");
  define_both(
      network, "forward_head",
      [](const Network& n, const at::Tensor& x) { return plainly([&] { return n.module().forward_head(x); }); },
      "features", "Features to logits.");
  define_both(
      network, "pyramid",
      [](const Network& n, const at::Tensor& x) {
        auto& family = n.as<models::EfficientClassificationImpl>("pyramid");
        return plainly([&] { return family.pyramid(x); });
      },
      "x", "EfficientClassification: the five maps of EfficientDet, (N, 64, h, w) each.");
  define_both(
      network, "attentions",
      [](const Network& n, const at::Tensor& x) {
        auto& family = n.as<models::ViolaUnetImpl>("VIOLA attention");
        return plainly([&] { return family.attentions(x); });
      },
      "x", "ViolaUnet: what each attention multiplies its input by, coarsest first.");
  define_both(
      network, "forward_deep",
      [](const Network& n, const at::Tensor& x) {
        auto& family = n.as<models::SegmentationNetwork>("deep supervision");
        return plainly([&] { return family.forward_deep(x); });
      },
      "x", "A segmentation network's logits of all heads, finest first, each at its own size.");
  const auto fuse = [](const Network& n, const Tensors& maps) {
    auto& family = n.as<models::EfficientClassificationImpl>("pyramid");
    return unlocked([&] { return out_of_inference(plainly([&] { return family.fuse(maps); })); });
  };
  network
      .def("fuse", fuse, py::arg("maps"), "EfficientClassification: five maps to ResNet's input, (N, 3, 224, 224).")
      .def(
          "fuse",
          [fuse](const Network& n, const std::vector<Floats>& maps) { return to_numpy(fuse(n, to_tensors(maps))); },
          py::arg("maps"))
      .def("gradients", &gradients, py::arg("x"), py::arg("cotangent"),
           "Gradients of sum(logits * cotangent) by parameter name, through the plain module; None where none flows.")
      .def(
          "gradients",
          [](const Network& n, const Floats& x, const Floats& cotangent) {
            std::map<std::string, std::optional<Floats>> arrays;
            for (const auto& [name, tensor] : gradients(n, to_tensor(x), to_tensor(cotangent))) {
              arrays[name] = tensor ? std::optional(to_numpy(*tensor)) : std::nullopt;
            }
            return arrays;
          },
          py::arg("x"), py::arg("cotangent"))
      .def(
          "load_state_dict",
          [](Network& n, const Path& file, bool adapt) { return n.load_state_dict(read_state_dict(file), adapt); },
          py::arg("file"), py::kw_only(), py::arg("adapt") = false,
          R"(Fills in weights: a .safetensors file, a state dict of torch.save, or a dict of arrays or tensors.

Parameters
----------
file or state_dict : path, or dict of str to numpy.ndarray or torch.Tensor
    By the names of the public implementation that the network follows (docs/models.md). Nothing in a file is executed.
adapt : bool
    As timm loads pretrained weights: the first convolution is adapted to the network's input channels, and a last layer
    for another number of classes is left out.

Returns
-------
list of str
    What was done to them, in words; empty: nothing.

Raises
------
ichdet.Error
    weights: lists the tensors that are missing, unexpected, or of another shape; the network is then unchanged. io: the
    file cannot be read.)")
      .def(
          "load_state_dict",
          [](Network& n, const std::map<std::string, py::object>& weights, bool adapt) {
            return n.load_state_dict(to_state_dict(weights), adapt);
          },
          py::arg("state_dict"), py::kw_only(), py::arg("adapt") = false)
      .def("state_dict", &state_dict,
           "Parameters and buffers by name: tensors on the network's own memory, as torch's `state_dict` has them.")
      .def(
          "save_state_dict",
          [](const Network& n, const Path& file, const std::string& dtype) {
            save_state_dict(n.module(), file, dtype_of(dtype));
          },
          py::arg("file"), py::kw_only(), py::arg("dtype") = "f32",
          "Writes parameters and buffers as a .safetensors file, its large tensors as 'f32', 'bf16' or 'f16'.")
      .def("reset_classifier", &Network::reset_classifier, py::arg("num_classes"),
           "A fresh last layer of as many outputs, its weights random; 0: none. Take `module()` anew after it.")
      .def(
          "module",
          [](const Network& n) -> TorchModule {
            if (const auto* given = dynamic_cast<const PythonNetwork*>(n.shared().get())) return given->python();
            return py::module_::import("ichdet.nn").attr("Module").attr("_of")(Plain(n.shared(), n.architecture()));
          },
          R"(The plain network as a torch.nn.Module on the same weights, to train it: `ichdet.nn.Module`.

After training call `prepare`. Of a network that `ichdet.nn.prepare` made: the module that was given.)")
      .def_property_readonly(
          "architecture", [](const Network& n) { return n.architecture().name; },
          "As `create` knows it; empty for networks written in Python.")
      .def_property_readonly(
          "options", [](const Network& n) -> JsonDict { return to_python(n.architecture().options); },
          "The architecture's options that were given, not their defaults.")
      .def_property_readonly(
          "name", [](const Network& n) { return n.module().name(); }, "The C++ class, such as in error messages.")
      .def("__repr__", [](const Network& n) {
        const auto& how = n.prepared().options();
        return "<ichdet.nn.Network " + (n.architecture().name.empty() ? n.module().name() : n.architecture().name) +
               ": " + to_string(how.precision) + ", engine " + to_string(how.engine) + ">";
      });

  const auto stack = [](const Tensors& heads) { return guarded([&] { return models::stack_heads(heads); }); };
  m.def("stack_heads", stack, py::call_guard<py::gil_scoped_release>(), py::arg("heads"),
        R"(Logits of several heads as one, as MONAI's DynUNet gives them in training.

Parameters
----------
heads : list of torch.Tensor or of numpy.ndarray, (N, classes, space) each, finest first
    Such as those of `forward_deep`.

Returns
-------
torch.Tensor or numpy.ndarray
    (N, heads, classes, space), the coarser ones repeated (nearest neighbour) to the first one's size. Of tensors,
    differentiable.

Examples
--------
>>> ichdet.nn.stack_heads([torch.zeros(1, 2, 8, 8), torch.ones(1, 2, 4, 4)]).shape
torch.Size([1, 2, 2, 8, 8]))");
  m.def(
      "stack_heads",
      [stack](const std::vector<Floats>& heads) { return to_numpy(stack(to_tensors(heads))); }, py::arg("heads"));
  m.def("architectures", &models::architectures, R"(The names that `create` and `Module` know.

Returns
-------
list of str
    Options of each: `create`. What each follows: docs/models.md.

Examples
--------
>>> "ResNet18" in ichdet.nn.architectures()
True)");
  with_prepare_arguments([&](const auto&... how) {
    m.def(
        "create",
        [](const std::string& architecture, const JsonDict& options, const std::string& precision,
           const std::string& engine, int threads, const std::string& device, double memory_mib,
           const std::optional<Path>& cache_folder) {
          const nlohmann::json json = from_python(options);
          const auto prepare = prepare_options(precision, engine, threads, device, memory_mib, cache_folder);
          return Network(unlocked([&] { return models::create(architecture, json, "create"); }),
                         {architecture, json}, prepare);
        },
        py::arg("architecture"), py::arg_v("options", JsonDict(), "{}"), how...,
        R"(A network of random weights (torch's generator: torch.manual_seed makes them the same again).

Parameters
----------
architecture : str
    One of `architectures()`.
options : dict
    Those of the architecture; what is left out has the default that is written here.

    - ResNet18: in_chans 3, num_classes 1000 (0: no last layer), layers [2, 2, 2, 2], blocks of each stage
    - DenseNet121, InceptionResNetV2, MobileNetV1, MobileNetV2, VGG19: in_chans 3, num_classes 1000
    - EfficientNetB0: in_chans 3, num_classes 1000, tf_same_padding False (timm's tf_efficientnet_b0)
    - EfficientClassification: in_chans 3, num_classes 2, tf_same_padding False
    - MobileNetLSTM: in_chans 3, num_classes 3, hidden_size 256 of the LSTM
    - WeightModel: in_chans and num_classes 5 (equal), filters [16, 32, 64]
    - InceptionUNet: in_channels 4, num_classes 2, filters [32, 64, 128, 256, 512], multiples of 4
    - MindGrab: in_channels 1, num_classes 2, channels 15, dilations [16, 8, 4, 2, 1] five times
    - DeepMedic: input_channels 1, num_classes 5, scale_factors [[5, 5, 5], [3, 3, 3], [1, 1, 1]], feature_maps [30, 30,
      40, 40, 40, 40, 50, 50], fully_connected [250, 250]
    - UNet3D: in_channels 1, out_channels 2, channels [8, 16, 32, 64], strides [2, 2, 2], kernel_size 3, up_kernel_size
      3, num_res_units 0, act 'prelu' ('relu', 'leakyrelu'), negative_slope 0.01, norm 'instance' ('batch'), affine
      False, bias True
    - DynUNet, ViolaUnet: in_channels 3, out_channels 2, kernel_size, strides, upsample_kernel_size, filters (a list by
      level, of numbers or of lists by axis; S2's), norm 'instance' ('batch'), negative_slope 0.01, res_block True,
      trans_bias True, deep_supervision True, deep_supr_num 4, spatial_dims 3; with strides given the others' defaults
      are MONAI's. ViolaUnet: dec_filters, channels of the decoder
    - PlainConvUNet, ResidualEncoderUNet: input_channels 1, num_classes 2, features_per_stage [32, 64, 128],
      kernel_sizes [3, 3, 3], strides [1, 2, 2], n_conv_per_stage (n_blocks_per_stage) [2, 2, 2],
      n_conv_per_stage_decoder [2, 2], conv_bias True, norm 'instance' ('batch'), norm_eps 1e-5, negative_slope 0.01, nonlin_first False, spatial_dims 3

precision, engine, threads, device, memory_mib, cache_folder
    As `Network` has them.

Returns
-------
Network

Raises
------
ichdet.Error
    weights: no such architecture or option, or a value out of range.

Examples
--------
>>> network = ichdet.nn.create("UNet3D", {"channels": [4, 8], "strides": [2]})
>>> network(np.zeros((1, 1, 8, 8, 8), np.float32)).shape
(1, 2, 8, 8, 8))");
    m.def(
        "_prepare_plain",
        [](const Plain& plain, const std::string& precision, const std::string& engine, int threads,
           const std::string& device, double memory_mib, const std::optional<Path>& cache_folder) {
          return Network(plain.network, plain.architecture,
                         prepare_options(precision, engine, threads, device, memory_mib, cache_folder));
        },
        py::arg("plain"), how..., "ichdet.nn.Module.prepare");
    m.def(
        "prepare",
        [](const TorchModule& module, const std::string& precision, const std::string& engine, int threads,
           const std::string& device, double memory_mib, const std::optional<Path>& cache_folder) {
          return Network(std::make_shared<PythonNetwork>(module), {},
                         prepare_options(precision, engine, threads, device, memory_mib, cache_folder));
        },
        py::arg("module"), how..., R"(Makes a network written in Python ready for inference on ichdet's engines.

The module is traced at the first call with a shape (one forward pass), as torch.jit.trace does: what it decides by the
values of its input is decided once. The graph of aten operators is folded and lowered as those of ichdet's own
networks are; where an engine does not know an operator torch runs it, and `Network.preparation` says why.

Parameters
----------
module : torch.nn.Module
    In evaluation mode, on the CPU, from one tensor to one tensor. Where it has `forward_features` and `forward_head`,
    as timm's have, so has the Network. Weights are shared, not copied.
precision, engine, threads, device, memory_mib, cache_folder
    As `Network` has them. engine 'native' needs images that the module does not mix.

Returns
-------
Network
    Its `state_dict` and `module()` are the module's own.

Raises
------
ichdet.Error
    options: the module is in training mode. shape: what it raised while it was traced.

Examples
--------
>>> model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 2))
>>> network = ichdet.nn.prepare(model.eval(), engine="torch")
>>> x = torch.ones(5, 1, 8, 8)
>>> torch.allclose(network(x), model(x), atol=1e-6)
True)");
  });
}

}  // namespace ichdet::python
