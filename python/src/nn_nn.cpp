#include <pybind11/stl/filesystem.h>

// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <memory>
#include <optional>

#include "choices.hpp"
#include "convert.hpp"
#include "ichdet/models/load_weights.hpp"
#include "ichdet/nn/checkpoint.hpp"
#include "ichdet/nn/denormals.hpp"
#include "ichdet/nn/sliding_window.hpp"
#include "ichdet/nn/views.hpp"
#include "json.hpp"
#include "tensors.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

using Path = std::filesystem::path;
using Triple = std::array<std::int64_t, 3>;
using TensorFunction = py::typing::Callable<at::Tensor(at::Tensor)>;
using ArrayFunction = py::typing::Callable<Floats(Floats)>;
using Keep = py::typing::Callable<bool(Triple, Triple)>;
using MaybeKeep = std::optional<Keep>;
using MaybeBox = std::optional<std::pair<Triple, Triple>>;

const Choices<Blending> blendings{{"constant", Blending::constant},
                                  {"monai gaussian", Blending::monai_gaussian},
                                  {"nnunet gaussian", Blending::nnunet_gaussian}};
const Choices<PatchPlaces> all_places{{"monai", PatchPlaces::monai}, {"nnunet", PatchPlaces::nnunet}};
const Choices<Padding> paddings{{"edge", Padding::edge}, {"zero", Padding::zero}};
const Choices<AxisOrder> axis_orders{{"zyx", AxisOrder::zyx}, {"xyz", AxisOrder::xyz}};

/// Takes and gives arrays or tensors, under the interpreter's lock.
Array4<float> ask(const ArrayFunction& predict, const Array4<float>& patch) {
  const py::gil_scoped_acquire locked;
  return borrow<float, 4>(predict(lend(patch)).cast<Floats>());
}
Array4<float> ask(const TensorFunction& predict, const Array4<float>& patch) {
  const py::gil_scoped_acquire locked;
  return borrow_tensor<float, 4>(predict(lend_tensor(patch)).cast<at::Tensor>());
}

SlidingWindowOptions window_options(const Triple& input, const Triple& output, double overlap,
                                    const std::string& blending, const std::string& padding, const std::string& places,
                                    std::array<bool, 3> from_end, const MaybeBox& region) {
  SlidingWindowOptions options;
  options.input = input;
  options.output = output;
  options.overlap = overlap;
  options.blending = choice("blending", blending, blendings);
  options.places = choice("places", places, all_places);
  options.padding = choice("padding", padding, paddings);
  options.from_end = from_end;
  if (region) options.region = {region->first, region->second};
  return options;
}

template <class Function>
Array4<float> slide(const Array4<float>& image, std::int64_t classes, const Function& predict,
                    const SlidingWindowOptions& options, const MaybeKeep& keep, const ProgressArgument& progress) {
  const auto whole = options.region.size == Triple{};
  const auto begin = whole ? Triple{} : options.region.begin;
  const auto size = whole ? Triple{image.extent(1), image.extent(2), image.extent(3)} : options.region.size;
  PatchFilter filter;
  if (keep) {
    filter = [&](const Box& box) {
      const py::gil_scoped_acquire locked;
      return (*keep)(box.begin, box.size).template cast<bool>();
    };
  }
  return watched(progress, [&](const Progress& tell) {
    Array4<float> values({classes, size[0], size[1], size[2]});
    sliding_window(
        image, classes, [&](const Array4<float>& patch) { return ask(predict, patch); },
        [&](std::int64_t z, const Array4<float>& slab, const Array3<std::uint8_t>&) {
          for (std::int64_t c = 0; c < classes; ++c) {
            const auto plane = slab.plane(c);
            std::copy(plane.begin(), plane.end(), &values(c, z - begin[0], 0, 0));
          }
        },
        options, filter, tell);
    return values;
  });
}

void bind_sliding_window(py::module_& m) {
  const SlidingWindowOptions usual;
  const auto with_arguments = [&](auto&& define) {
    define(py::arg("image"), py::arg("classes"), py::arg("predict"), py::arg("input"), py::arg("output"),
           py::kw_only(), py::arg("overlap") = usual.overlap, py::arg("blending") = word_of(usual.blending, blendings),
           py::arg("padding") = word_of(usual.padding, paddings),
           py::arg("places") = word_of(usual.places, all_places), py::arg("from_end") = usual.from_end,
           py::arg("region") = py::none(), py::arg("keep") = py::none(), py::arg("progress") = py::none());
  };
  with_arguments([&](const auto&... arguments) {
    m.def(
        "sliding_window",
        [](const at::Tensor& image, std::int64_t classes, const TensorFunction& predict, const Triple& input,
           const Triple& output, double overlap, const std::string& blending, const std::string& padding,
           const std::string& places, std::array<bool, 3> from_end, const MaybeBox& region, const MaybeKeep& keep,
           const ProgressArgument& progress) {
          return lend_tensor(
              slide(borrow_tensor<float, 4>(image), classes, predict,
                    window_options(input, output, overlap, blending, padding, places, from_end, region), keep,
                    progress));
        },
        arguments..., R"(Lays a network over a volume in overlapping patches, and blends its answers.

Patch places and weights are those of MONAI 1.x's sliding_window_inference, or of nnU-Net 2's
sliding_window_prediction, in float32. A volume smaller than the patch is padded on both sides.

Parameters
----------
image : torch.Tensor or numpy.ndarray, (channel, z, y, x), float32
classes : int
    That `predict` answers.
predict : callable
    A patch (channel, *input) to (classes, *output), tensors of tensors and arrays of arrays. Valid during the call.
input, output : (int, int, int)
    Patch that the network reads, and that it answers, centred in it: smaller for valid convolutions. In voxels.
overlap : float
    Of neighbouring outputs, in [0, 1).
blending : str
    'constant', 'monai gaussian' or 'nnunet gaussian'.
padding : str
    'edge' (the nearest voxel, repeated) or 'zero'.
places : str
    'monai' or 'nnunet'.
from_end : (bool, bool, bool)
    Axes along which patches are laid from the last voxel to the first.
region : ((int, int, int), (int, int, int)) or None
    First voxel and size of the part to compute; None: all.
keep : callable or None
    (first voxel, size) of the part that a patch answers, to whether it is worth computing; the others are 0.
progress : bool, callable or None
    True: a bar (tqdm). A callable is called with the stage's name and the fraction done.

Returns
-------
torch.Tensor or numpy.ndarray
    (classes, z, y, x), float32, of the region's size.

Raises
------
ichdet.Error
    options: sizes and overlaps that make no sense. shape: `predict` answers another size.

Examples
--------
>>> image = np.arange(48, dtype=np.float32).reshape(1, 3, 4, 4)
>>> found = ichdet.nn.sliding_window(image, 1, lambda patch: 2 * patch, (2, 2, 2), (2, 2, 2), overlap=0.5)
>>> bool(np.all(found == 2 * image))
True)");
    m.def(
        "sliding_window",
        [](const Floats& image, std::int64_t classes, const ArrayFunction& predict, const Triple& input,
           const Triple& output, double overlap, const std::string& blending, const std::string& padding,
           const std::string& places, std::array<bool, 3> from_end, const MaybeBox& region, const MaybeKeep& keep,
           const ProgressArgument& progress) {
          return lend(slide(borrow<float, 4>(image), classes, predict,
                            window_options(input, output, overlap, blending, padding, places, from_end, region), keep,
                            progress));
        },
        arguments...);
  });
  m.def(
      "patch_starts",
      [](std::int64_t length, std::int64_t patch, double overlap, bool fits_in, const std::string& places) {
        return patch_starts(length, patch, overlap, fits_in, choice("places", places, all_places));
      },
      py::arg("length"), py::arg("patch"), py::arg("overlap"), py::arg("fits_in") = true, py::kw_only(),
      py::arg("places") = "monai", R"(Where patches start along one axis.

Parameters
----------
length, patch : int
    Of the axis and of the patch, in voxels.
overlap : float
    Of neighbouring patches, in [0, 1).
fits_in : bool
    The last patch ends with the axis; else it may reach beyond it.
places : str
    'monai' or 'nnunet', as `sliding_window` has it.

Returns
-------
list of int
    Ascending.

Examples
--------
>>> ichdet.nn.patch_starts(10, 4, 0.5)
[0, 2, 4, 6]
>>> ichdet.nn.patch_starts(10, 4, 0.25)
[0, 3, 6])");
  m.def(
      "patch_weights",
      [](std::int64_t n, const std::string& blending) {
        return py::array_t<float>(py::cast(patch_weights(n, choice("blending", blending, blendings))));
      },
      py::arg("n"), py::arg("blending"), R"(How much each voxel of a patch weighs along one axis, where patches overlap.

Parameters
----------
n : int
    The patch's voxels along the axis.
blending : str
    'constant', 'monai gaussian' or 'nnunet gaussian', as `sliding_window` has it.

Returns
-------
numpy.ndarray, (n,), float32
    A voxel weighs the product of its three.

Examples
--------
>>> ichdet.nn.patch_weights(4, "monai gaussian").round(3)
array([0.011, 0.607, 0.607, 0.011], dtype=float32))");
}

template <class Answer>
Array4<float> views_of(const Array4<float>& image, const std::vector<Answer>& answers, PatchViews options,
                       const std::optional<Triple>& output, const ProgressArgument& progress) {
  const Triple size{image.extent(1), image.extent(2), image.extent(3)};
  options.channels = image.extent(0);
  options.output = output.value_or(size);
  const BoxReader read = [&](const Box& box, const Layout& layout, float* to) {
    const auto inside = [&](std::size_t axis, std::int64_t at) {
      return std::clamp<std::int64_t>(box.begin[axis] + at, 0, size[axis] - 1);
    };
    for (std::int64_t c = 0; c < image.extent(0); ++c) {
      for (std::int64_t z = 0; z < box.size[0]; ++z) {
        for (std::int64_t y = 0; y < box.size[1]; ++y) {
          const float* row = &image(c, inside(0, z), inside(1, y), 0);
          float* place = to + c * layout.voxels() + layout.offset + z * layout.step[0] + y * layout.step[1];
          for (std::int64_t x = 0; x < box.size[2]; ++x) place[x * layout.step[2]] = row[inside(2, x)];
        }
      }
    }
  };
  std::vector<PatchNetwork> networks;
  for (const auto& answer : answers) {
    networks.push_back([&answer](const at::Tensor& patch) {
      const py::gil_scoped_acquire locked;
      if constexpr (std::is_same_v<Answer, TensorFunction>) {
        return answer(out_of_inference(patch)).template cast<at::Tensor>().detach().to(at::kFloat);
      } else {
        return to_tensor(answer(to_numpy(patch)).template cast<Floats>()).clone();
      }
    });
  }
  return watched(progress, [&](const Progress& tell) {
    return mean_of_views(read, networks, Box{{}, size}, options, tell);
  });
}

void bind_views(py::module_& m) {
  m.attr("View") = py::module_::import("ichdet._core").attr("View");
  const auto options_of = [](std::int64_t classes, const std::vector<View>& views, const std::string& axes,
                             std::array<bool, 3> against) {
    PatchViews options;
    options.classes = classes;
    options.views = views;
    options.axes = choice("axes", axes, axis_orders);
    options.against = against;
    return options;
  };
  const PatchViews patch;
  const auto with_arguments = [&](auto&& define) {
    define(py::arg("image"), py::arg("networks"), py::arg("classes"), py::kw_only(), py::arg("views") = patch.views,
           py::arg("output") = py::none(), py::arg("axes") = word_of(patch.axes, axis_orders),
           py::arg("against") = patch.against, py::arg("progress") = py::none());
  };
  with_arguments([&](const auto&... arguments) {
    m.def(
        "mean_of_views",
        [options_of](const at::Tensor& image, const std::vector<TensorFunction>& networks, std::int64_t classes,
                     const std::vector<View>& views, const std::optional<Triple>& output, const std::string& axes,
                     std::array<bool, 3> against, const ProgressArgument& progress) {
          return lend_tensor(views_of(borrow_tensor<float, 4>(image), networks,
                                      options_of(classes, views, axes, against), output, progress));
        },
        arguments..., R"(The mean answer of networks to views of an image: test-time augmentation.

Each view is shown to every network, and its answer is brought back, voxel by voxel. A view of scale s shows 1 / s of
the image about its centre (or what lies around it, the nearest voxels repeated), linearly interpolated.

Parameters
----------
image : torch.Tensor or numpy.ndarray, (channel, z, y, x), float32
networks : list of callable
    (1, channel, ...) to (1, classes, ...), tensors of tensors and arrays of arrays.
classes : int
    That they answer.
views : list of View
    One at least has a scale of at most 1.
output : (int, int, int) or None
    What they answer of the image, in its middle; None: all of it.
axes : str
    'zyx', or 'xyz' for networks that read x, y, z.
against : (bool, bool, bool)
    Axes z, y, x that run against the networks' orientation: flipped in every view.
progress : bool, callable or None
    True: a bar (tqdm). A callable is called with the stage's name and the fraction done.

Returns
-------
torch.Tensor or numpy.ndarray
    (classes, *output), float32.

Raises
------
ichdet.Error
    options: no view reaches all of the image. shape: a network answers another size.

Examples
--------
>>> views = [ichdet.nn.View(), ichdet.nn.View(flip=(False, False, True))]
>>> image = np.arange(8, dtype=np.float32).reshape(1, 1, 2, 4)
>>> blur = lambda x: x + np.roll(x, 1, axis=-1)  # leans to one side
>>> ichdet.nn.mean_of_views(image, [blur], 1, views=views)[0, 0]
array([[ 2.,  2.,  4.,  4.],
       [10., 10., 12., 12.]], dtype=float32))");
    m.def(
        "mean_of_views",
        [options_of](const Floats& image, const std::vector<ArrayFunction>& networks, std::int64_t classes,
                     const std::vector<View>& views, const std::optional<Triple>& output, const std::string& axes,
                     std::array<bool, 3> against, const ProgressArgument& progress) {
          return lend(views_of(borrow<float, 4>(image), networks, options_of(classes, views, axes, against), output,
                               progress));
        },
        arguments...);
  });
}

/// `with InferenceThreads():`
struct ThreadsContext {
  int threads;
  std::unique_ptr<InferenceThreads> held;
};

void bind_threads(py::module_& m) {
  py::class_<ThreadsContext>(m, "InferenceThreads", R"(Within `with`, denormal numbers are taken for zero, on this many threads.

For loops that run networks plainly (torch's or `Network.forward`); prepared networks do it themselves. A denormal
operand costs a CPU over a hundred cycles: some networks are thirty times slower with them. Of the calling thread and
torch's worker threads; both settings are put back at the end.

Parameters
----------
threads : int
    Of torch; 0: leaves their number as it is.

Examples
--------
>>> with ichdet.nn.InferenceThreads():
...     print((torch.tensor([1e-40]) * 1).item())
0.0)")
      .def(py::init([](int threads) { return ThreadsContext{threads, nullptr}; }), py::arg("threads") = 0)
      .def(
          "__enter__",
          [](ThreadsContext& self) -> ThreadsContext& {
            self.held = std::make_unique<InferenceThreads>(self.threads);
            return self;
          },
          py::return_value_policy::reference, "From here on.")
      .def(
          "__exit__", [](ThreadsContext& self, const py::args&) { self.held.reset(); }, "Until here.");
}

void bind_files(py::module_& m) {
  py::class_<StateDict>(m, "StateDict", R"(Named tensors as a file has them. From `read_state_dict`.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     torch.save({"weight": torch.ones(2)}, f"{folder}/weights.pt")
...     weights = ichdet.nn.read_state_dict(f"{folder}/weights.pt")
>>> weights.tensors
{'weight': tensor([1., 1.])})")
      .def_readonly("source", &StateDict::source, "The file.")
      .def_readonly("tensors", &StateDict::tensors, "By name, on the CPU.")
      .def_readonly("notes", &StateDict::notes, "What was done to read them, in words.");
  m.def("read_state_dict", &read_state_dict, py::call_guard<py::gil_scoped_release>(), py::arg("file"),
        R"(Reads weights without executing anything in the file.

Parameters
----------
file : str or path
    A .safetensors file, or a state dict that torch.save wrote (PyTorch 1.6 or newer): a dict of tensors, or one under
    "state_dict", "model_state_dict" or "model". DataParallel's "module." is dropped.

Returns
-------
StateDict

Raises
------
ichdet.Error
    weights: the file is damaged, or holds something that is not known. io: it cannot be read.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     ichdet.nn.create("WeightModel").save_state_dict(f"{folder}/weights.safetensors")
...     weights = ichdet.nn.read_state_dict(f"{folder}/weights.safetensors")
>>> weights.tensors["fc.weight"].shape
torch.Size([5, 64]))");
  py::class_<Checkpoint>(m, "Checkpoint", R"(What a training script saved: weights among other things. From `read_checkpoint`.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     torch.save({"network": {"weight": torch.ones(2)}, "epoch": 7}, f"{folder}/checkpoint.pt")
...     checkpoint = ichdet.nn.read_checkpoint(f"{folder}/checkpoint.pt", "network")
>>> checkpoint.values
{'epoch': 7})")
      .def_readonly("weights", &Checkpoint::weights, "A StateDict.")
      .def_property_readonly(
          "values", [](const Checkpoint& checkpoint) -> JsonDict { return to_python(checkpoint.values); },
          "The rest: numbers, text, lists and dicts of them; None for what is something else.");
  m.def("read_checkpoint", &read_checkpoint, py::call_guard<py::gil_scoped_release>(), py::arg("file"),
        py::arg("weights_key"), R"(Reads a dict that torch.save wrote, the weights under one of its keys.

Nothing in the file is executed; objects that are not known are skipped.

Parameters
----------
file : str or path
weights_key : str
    Such as "network_weights" of nnU-Net's checkpoints.

Returns
-------
Checkpoint

Raises
------
ichdet.Error
    weights: the file is damaged, or has no such key. io: it cannot be read.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     torch.save({"network": {"weight": torch.ones(2)}, "epoch": 7}, f"{folder}/checkpoint.pt")
...     checkpoint = ichdet.nn.read_checkpoint(f"{folder}/checkpoint.pt", "network")
>>> checkpoint.weights.tensors["weight"]
tensor([1., 1.]))");
  m.def("adapt_input_conv", &models::adapt_input_conv, py::call_guard<py::gil_scoped_release>(), py::arg("weight"),
        py::arg("in_chans"), R"(A convolution's weights for other input channels, as timm 1.0's adapt_input_conv.

Parameters
----------
weight : torch.Tensor, (O, I, h, w)
in_chans : int
    1: the channels are summed; else three channels are repeated and scaled by 3 / in_chans.

Returns
-------
torch.Tensor, (O, in_chans, h, w)

Raises
------
ichdet.Error
    weights: I is not 3 and `in_chans` not 1.

Examples
--------
>>> ichdet.nn.adapt_input_conv(torch.ones(1, 3, 1, 1), 1).item()
3.0)");
}

}  // namespace

void bind_nn(py::module_& m) {
  bind_sliding_window(m);
  bind_views(m);
  bind_threads(m);
  bind_files(m);
}

}  // namespace ichdet::python
