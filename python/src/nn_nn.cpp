#include <pybind11/stl/filesystem.h>

#include "convert.hpp"
#include "ichdet/models/load.hpp"
#include "ichdet/nn/denormals.hpp"
#include "ichdet/nn/network.hpp"
#include "ichdet/nn/prepare.hpp"
#include "ichdet/nn/sliding_window.hpp"

namespace ichdet::python {
namespace {

using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;

at::Tensor to_tensor(const FloatArray& values) {
  const std::vector<std::int64_t> shape(values.shape(), values.shape() + values.ndim());
  return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat);
}

FloatArray to_numpy(const at::Tensor& tensor) {
  const auto values = tensor.contiguous();
  FloatArray array(std::vector<py::ssize_t>(values.sizes().begin(), values.sizes().end()));
  std::copy_n(values.data_ptr<float>(), values.numel(), array.mutable_data());
  return array;
}

PrepareOptions options_of(const std::string& precision, const std::string& engine, int threads) {
  PrepareOptions options;
  options.precision = parse_precision(precision);
  options.engine = parse_engine(engine);
  options.threads = threads;
  return options;
}

struct Network {
  std::shared_ptr<ichdet::Network> module;
  PreparedNetwork prepared;

  Network(const std::filesystem::path& bundle, const std::string& precision, const std::string& engine, int threads)
      : module(models::load(open_bundle(bundle))), prepared(prepare(module, options_of(precision, engine, threads))) {}

  FloatArray run(const FloatArray& x) const {
    const auto input = to_tensor(x);
    at::Tensor out;
    {
      const py::gil_scoped_release unlocked;
      out = prepared(input).contiguous();
    }
    return to_numpy(out);
  }
  FloatArray run_plain(const FloatArray& x) const {
    const auto input = to_tensor(x);
    at::Tensor out;
    {
      const py::gil_scoped_release unlocked;
      const c10::InferenceMode no_gradients;
      const InferenceThreads threads;
      out = module->forward(input);
    }
    return to_numpy(out);
  }
};

py::tuple slide(const FloatArray& image, std::int64_t classes, const py::function& predict,
                std::array<std::int64_t, 3> input, std::array<std::int64_t, 3> output, double overlap,
                const std::string& blending, const std::string& padding, float padding_value) {
  if (blending != "constant" && blending != "gaussian") throw py::value_error("blending: constant or gaussian");
  if (padding != "edge" && padding != "constant") throw py::value_error("padding: edge or constant");
  SlidingWindowOptions options;
  options.input = input;
  options.output = output;
  options.overlap = overlap;
  options.blending = blending == "gaussian" ? Blending::gaussian : Blending::constant;
  options.padding = padding == "edge" ? Padding::edge : Padding::constant;
  options.padding_value = padding_value;
  const auto source = borrow<float, 4>(image);
  Array4<float> values({classes, source.extent(1), source.extent(2), source.extent(3)});
  std::int64_t slabs = 0;
  sliding_window(
      source, classes,
      [&](const Array4<float>& patch) { return borrow<float, 4>(predict(lend(patch)).cast<FloatArray>()); },
      [&](std::int64_t z, const Array4<float>& slab, const Array3<std::uint8_t>&) {
        ++slabs;
        for (std::int64_t c = 0; c < classes; ++c) {
          const auto plane = slab.plane(c);
          std::copy(plane.begin(), plane.end(), &values(c, z, 0, 0));
        }
      },
      options);
  return py::make_tuple(lend(values), slabs);
}

}  // namespace

void bind_nn(py::module_& m) {
  py::class_<Network>(m, "Network", R"(A bundle's network, ready for inference.

Parameters
----------
bundle : path of the bundle's folder
precision : 'float32' or 'bfloat16'
engine : 'auto', 'native', 'torch' or 'openvino'
threads : int, 0 for LibTorch's own choice)")
      .def(py::init<const std::filesystem::path&, const std::string&, const std::string&, int>(), py::arg("bundle"),
           py::kw_only(), py::arg("precision") = "float32", py::arg("engine") = "auto", py::arg("threads") = 0)
      .def("__call__", &Network::run, py::arg("x"),
           "Logits (1, classes, D', H', W') of an input (1, channels, D, H, W), through the prepared network.")
      .def(
          "preparation",
          [](const Network& network, const std::vector<std::int64_t>& shape) {
            const auto made = [&] {
              const py::gil_scoped_release unlocked;
              return network.prepared.preparation(shape);
            }();
            return py::dict(py::arg("engine") = to_string(made.engine),
                            py::arg("precision") = to_string(made.precision), py::arg("form") = made.form,
                            py::arg("reason") = made.reason, py::arg("seconds") = made.seconds,
                            py::arg("activations_mib") = made.activations_mib);
          },
          py::arg("shape"), "What runs for inputs of this shape; prepares it where that has not happened yet.")
      .def(
          "verify",
          [](const Network& network, const FloatArray& x) {
            const auto input = to_tensor(x);
            const auto found = [&] {
              const py::gil_scoped_release unlocked;
              return verify(network.prepared, network.module, input);
            }();
            return py::dict(py::arg("largest") = found.largest, py::arg("mean") = found.mean,
                            py::arg("range") = found.range);
          },
          py::arg("x"), "Largest and mean difference of the prepared network's logits from the plain one's.")
      .def("forward", &Network::run_plain, py::arg("x"), "The same through the plain module, layer by layer.");
  m.def("sliding_window", &slide, py::arg("image"), py::arg("classes"), py::arg("predict"), py::arg("input"),
        py::arg("output"), py::arg("overlap") = 0.0, py::arg("blending") = "constant", py::arg("padding") = "edge",
        py::arg("padding_value") = 0.0f,
        R"(Lays `predict` over an image (channel, z, y, x) in patches.

Returns (values (class, z, y, x), number of slabs handed on). `predict` takes (channel, *input) and returns
(classes, *output), float32.)");
}

}  // namespace ichdet::python
