#include <ATen/Functions.h>

// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "fields.hpp"
#include "ichdet/train/augment.hpp"
#include "json.hpp"
#include "tensors.hpp"

/// (probability, low, high)
template <>
struct pybind11::detail::type_caster<ichdet::train::Chance> {
  PYBIND11_TYPE_CASTER(ichdet::train::Chance, const_name("tuple[float, float, float]"));

  bool load(handle source, bool convert) {
    make_caster<std::array<double, 3>> values;
    if (!values.load(source, convert)) return false;
    const auto [probability, low, high] = cast_op<std::array<double, 3>>(values);
    value = {probability, {low, high}};
    return true;
  }
  static handle cast(const ichdet::train::Chance& chance, return_value_policy, handle) {
    return make_tuple(chance.probability, chance.range[0], chance.range[1]).release();
  }
};

namespace ichdet::python {

using namespace train;

namespace {

using Mask = py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>;
using O = AugmentOptions;

Slab changed(const at::Tensor& hu, const at::Tensor& mask, std::array<double, 3> spacing_mm, const O& options,
             std::uint64_t seed) {
  Slab slab{hu.detach().to(at::kFloat).clone(at::MemoryFormat::Contiguous), {}, spacing_mm};
  if (mask.defined()) slab.mask = mask.detach().clone(at::MemoryFormat::Contiguous);
  augment(slab, options, seed);
  return slab;
}

void bind_options(py::module_& m) {
  py::class_<O> options(m, "AugmentOptions", R"(Settings of `augment`, in the order in which they are applied.

A number is a probability. Three are (probability, low, high): how often something is done, and the bounds between which
its strength is drawn, uniformly. `AugmentOptions.none()` changes nothing, to turn single things on.

Examples
--------
>>> options = ichdet.train.AugmentOptions(flip_rows=0.5, noise_hu=(1, 2, 4))
>>> options.noise_hu, options.flip_columns
((1.0, 2.0, 4.0), 0.5))");
  define_fields(
      options,
      Field{"neighbour_dropout", &O::neighbour_dropout,
            "The outer slices become copies of the middle one: a single slice as a slab."},
      Field{"neighbour_repeat", &O::neighbour_repeat,
            "One outer slice becomes a copy of the one further in: an end of the stack."},
      Field{"flip_columns", &O::flip_columns, "Left and right."}, Field{"flip_rows", &O::flip_rows, "Front and back."},
      Field{"flip_slices", &O::flip_slices, "Head and foot."},
      Field{"rotation_degrees", &O::rotation_degrees, "In the slices."},
      Field{"tilt_degrees", &O::tilt_degrees, "About both axes of the slices; for patches of volumes."},
      Field{"scale", &O::scale, "The head's size."}, Field{"stretch", &O::stretch, "Of columns against rows."},
      Field{"shear", &O::shear, "Of columns along rows."},
      Field{"shift_mm", &O::shift_mm, "Along rows and columns, each drawn for itself."},
      Field{"elastic_mm", &O::elastic_mm, "Root mean square of the displacement."},
      Field{"elastic_period_mm", &O::elastic_period_mm, "Distance of the displacement's control points."},
      Field{"neighbour_shift_mm", &O::neighbour_shift_mm, "Each slice against the middle one: a patient who moves."},
      Field{"clip_hu", &O::clip_hu, "Clipped to 0 and to this before anything else: stored windowed."},
      Field{"low_resolution", &O::low_resolution, "Pixels grow by this factor and are interpolated back."},
      Field{"blur_mm", &O::blur_mm, "Sigma of a Gaussian."},
      Field{"sharpen", &O::sharpen, "Times what a Gaussian of 1 mm takes away: an edge kernel."},
      Field{"slice_blend", &O::slice_blend, "Part of each neighbour in a slice: thicker slices."},
      Field{"cupping_hu", &O::cupping_hu, "Smooth rise (or fall) towards the skull: beam hardening."},
      Field{"shading_hu", &O::shading_hu, "Root mean square of a smooth field."}, Field{"gain", &O::gain, "Of HU."},
      Field{"offset_hu", &O::offset_hu, "Of all pixels."},
      Field{"brain_gain", &O::brain_gain, "Contrast about 32 HU."}, Field{"gamma", &O::gamma, "Of 0 to 90 HU."},
      Field{"noise_hu", &O::noise_hu, "Standard deviation of each pixel, before the grain."},
      Field{"noise_grain_mm", &O::noise_grain_mm, "Sigma of the noise's correlation; otherwise none."});
  options.def_static("none", &no_augmentation, "Nothing is changed: to turn single things on.")
      .def_static(
          "from_dict",
          [](const JsonDict& values) { return augment_options(from_python(values), "AugmentOptions"); },
          py::arg("values"),
          "As a recipe has them, checked: {\"blur_mm\": [1, 0.3, 1]}; with {\"only\": true} nothing else is done.");
}

}  // namespace

void bind_augment(py::module_& m) {
  bind_options(m);
  const Slab usual;
  const auto with_arguments = [&](auto&& define) {
    define(py::arg("hu"), py::arg("mask") = py::none(), py::kw_only(), py::arg("spacing_mm") = usual.spacing_mm,
           py::arg_v("options", O(), "AugmentOptions()"), py::arg("seed") = 0);
  };
  with_arguments([&](const auto&... arguments) {
    m.def(
        "augment",
        [](const at::Tensor& hu, const std::optional<at::Tensor>& mask, std::array<double, 3> spacing_mm,
           const O& options, std::uint64_t seed) {
          const py::gil_scoped_release unlocked;
          const auto slab = changed(hu, mask.value_or(at::Tensor()), spacing_mm, options, seed);
          return std::pair(slab.hu, slab.mask.defined() ? std::optional(slab.mask) : std::nullopt);
        },
        arguments..., R"(Changes neighbouring slices, or a patch of a volume, as scanners, patients and hospitals do.

One resampling (HU linear with the lowest value outside, mask nearest with 0 outside) for everything that moves pixels,
then sharpness, then values. What is or was clipped stays within its values. A pure function of its arguments.

Parameters
----------
hu : torch.Tensor or numpy.ndarray, (slice, row, column), float32
    Hounsfield units. Not written to.
mask : the same of uint8, or None
    Classes; 255 where nothing is known. It moves along.
spacing_mm : (float, float, float)
    Between slices, rows, columns.
options : AugmentOptions
seed : int

Returns
-------
(hu, mask) : tensors or arrays as given; mask is None where none was

Raises
------
ichdet.Error
    shape: `hu` has not three axes, or `mask` another shape.

Examples
--------
>>> hu = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
>>> options = ichdet.train.AugmentOptions.none()
>>> options.flip_columns = 1
>>> flipped, mask = ichdet.train.augment(hu, options=options)
>>> flipped[0, 0], mask
(array([3., 2., 1., 0.], dtype=float32), None))");
    m.def(
        "augment",
        [](const Floats& hu, const std::optional<Mask>& mask, std::array<double, 3> spacing_mm, const O& options,
           std::uint64_t seed) {
          const auto values = to_tensor(hu);
          const auto classes = mask ? lend_tensor(borrow<std::uint8_t, 3>(*mask)) : at::Tensor();
          Slab slab;
          {
            const py::gil_scoped_release unlocked;
            slab = changed(values, classes, spacing_mm, options, seed);
          }
          using Changed = std::pair<py::array_t<float>, std::optional<py::array_t<std::uint8_t>>>;
          Changed found{lend(borrow_tensor<float, 3>(slab.hu)), std::nullopt};
          if (slab.mask.defined()) found.second = lend(borrow_tensor<std::uint8_t, 3>(slab.mask));
          return found;
        },
        arguments...);
  });
}

}  // namespace ichdet::python
