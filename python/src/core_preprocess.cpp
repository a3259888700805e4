#include "convert.hpp"
#include "ichdet/core/components.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/preprocess/grid.hpp"
#include "ichdet/preprocess/masks.hpp"
#include "ichdet/preprocess/morphology.hpp"
#include "ichdet/preprocess/resample.hpp"
#include "ichdet/preprocess/window.hpp"

namespace ichdet::python {

namespace {

using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;
using ByteArray = py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>;
using Limits = std::pair<double, double>;

ResampleOptions resample_options(const std::string& interpolation, std::optional<float> outside, int threads) {
  if (interpolation != "linear" && interpolation != "nearest") {
    throw Error::mismatch(ErrorCode::options, "interpolation", "linear or nearest", interpolation);
  }
  return {interpolation == "linear" ? Interpolation::linear : Interpolation::nearest, outside, threads};
}

WindowOptions window_options(Limits range, const std::string& order, int threads) {
  if (order != "channel_first" && order != "slice_first") {
    throw Error::mismatch(ErrorCode::options, "order", "channel_first or slice_first", order);
  }
  return {range.first, range.second, order == "channel_first" ? ChannelOrder::channel_first : ChannelOrder::slice_first,
          threads};
}

Rounding rounding_of(const std::string& name) {
  if (name != "truncate" && name != "nearest") {
    throw Error::mismatch(ErrorCode::options, "rounding", "truncate or nearest", name);
  }
  return name == "truncate" ? Rounding::truncate : Rounding::nearest;
}

Connectivity connectivity_of(int neighbours) {
  if (neighbours != 6 && neighbours != 18 && neighbours != 26) {
    throw Error::mismatch(ErrorCode::options, "connectivity", "6, 18 or 26", std::to_string(neighbours));
  }
  return Connectivity(neighbours);
}

/// Calls `f` without the GIL and gives what it returns.
template <class F>
auto unlocked(F&& f) {
  const py::gil_scoped_release release;
  return f();
}

void bind_window(py::module_& m) {
  py::class_<Window>(m, "Window", "The range of Hounsfield units that a picture spreads over its grey values.")
      .def(py::init<double, double>(), py::arg("low_hu"), py::arg("high_hu"))
      .def_static("centre_width", &Window::centre_width, py::arg("centre_hu"), py::arg("width_hu"))
      .def_static(
          "parse", [](const std::string& text) { return parse_window(text); }, py::arg("text"),
          "A window by name (see named_windows) or from 'CENTRE,WIDTH'.")
      .def_readwrite("low_hu", &Window::low_hu)
      .def_readwrite("high_hu", &Window::high_hu)
      .def_property_readonly("centre_hu", &Window::centre_hu)
      .def_property_readonly("width_hu", &Window::width_hu)
      .def("__repr__", [](const Window& w) {
        return "<ichdet.Window " + std::to_string(w.low_hu) + " to " + std::to_string(w.high_hu) + " HU>";
      });
  m.def(
      "named_windows",
      [] {
        py::dict result;
        for (const auto& [name, window] : named_windows()) result[py::str(name.data(), name.size())] = window;
        return result;
      },
      "The windows that have names.");
  m.def(
      "window",
      [](FloatArray hu, const Window& w, Limits range, int threads) {
        const auto values = borrow<float, 3>(std::move(hu));
        return lend(unlocked([&] { return window(values, w, {range.first, range.second, {}, threads}); }));
      },
      py::arg("hu"), py::arg("window"), py::arg("range") = Limits{0, 1}, py::arg("threads") = 1,
      R"(Clip to the window and map it linearly to ``range``.

Equal, bit for bit, to ``(np.clip(hu, low, high) - low) / (high - low)`` in float32 for the range (0, 1).

Parameters
----------
hu : float32 array (z, y, x)
window : Window
range : what the window's lower and upper limits become
threads : int, 0 for as many as the machine has

Returns
-------
float32 array (z, y, x))");
  m.def(
      "window_channels",
      [](FloatArray hu, const std::vector<Window>& windows, Limits range, const std::string& order, int threads,
         std::optional<py::array_t<float, py::array::c_style>> out) {
        const auto values = borrow<float, 3>(std::move(hu));
        const auto options = window_options(range, order, threads);
        if (!out) return lend(unlocked([&] { return window_channels(values, windows, options); }));
        if (!out->writeable()) throw py::value_error("out: expected a writeable array");
        auto target = borrow<float, 4>(*out);
        unlocked([&] { window_channels_into(values, windows, target, options); });
        return py::array_t<float>(*out);
      },
      py::arg("hu"), py::arg("windows"), py::arg("range") = Limits{0, 1}, py::arg("order") = "channel_first",
      py::arg("threads") = 1, py::arg("out").noconvert() = py::none(),
      R"(Several windows of one array in one pass.

Parameters
----------
hu : float32 array (z, y, x)
windows : list of Window
range : what each window's lower and upper limits become
order : "channel_first" for (channel, z, y, x) or "slice_first" for (z, channel, y, x)
threads : int, 0 for as many as the machine has
out : float32 array to write to and return, C-contiguous; allocated where None)");
  m.def(
      "window_channels_8bit",
      [](FloatArray hu, const std::vector<Window>& windows, const std::string& rounding, const std::string& order,
         int threads) {
        const auto values = borrow<float, 3>(std::move(hu));
        const auto options = window_options({0, 1}, order, threads);
        const auto how = rounding_of(rounding);
        return lend(unlocked([&] { return window_channels_8bit(values, windows, how, options); }));
      },
      py::arg("hu"), py::arg("windows"), py::arg("rounding") = "truncate", py::arg("order") = "channel_first",
      py::arg("threads") = 1,
      R"(Several windows to 0..255, as the papers store them in PNG.

``(np.clip(hu, low, high) - low) / (high - low) * 255`` in float32, then ``astype(uint8)`` (rounding "truncate") or
half upwards ("nearest"). Returns uint8 (channel, z, y, x) or (z, channel, y, x).)");
}

template <class From, class To>
auto resampler() {
  return
      [](const From& from, const To& to, const std::string& interpolation, std::optional<float> outside, int threads) {
        const auto options = resample_options(interpolation, outside, threads);
        return unlocked([&] { return resample_to(from, to, options); });
      };
}

template <class From, class To>
auto label_resampler() {
  return [](const From& from, const To& to, int threads) {
    return unlocked([&] { return resample_to(from, to, threads); });
  };
}

template <class To>
auto array_resampler() {
  return [](FloatArray values, const Geometry& from, const To& to, const std::string& interpolation,
            std::optional<float> outside, int threads) {
    const auto options = resample_options(interpolation, outside, threads);
    const auto source = borrow<float, 3>(std::move(values));
    return lend(unlocked([&] { return resample_to(source, from, to, options); }));
  };
}

void bind_resample(py::module_& m) {
  m.def(
      "segmentation_grid",
      [](const SliceGeometry& slices, const std::array<double, 3>& spacing_mm) {
        return segmentation_grid(slices, Eigen::Vector3d(spacing_mm.data()));
      },
      py::arg("slices"), py::arg("spacing_mm"),
      R"(The regular grid on which a segmenter reads a stack: a Geometry of this spacing (x, y, z) that runs nearest to +L,
+P, +S. On a straight stack of equal steps it is that of blast-ct 2.1.0. See resample_to.)");
  const auto options = [&](auto f, const char* first, const char* doc = "") {
    m.def("resample_to", f, py::arg(first), py::arg("to"), py::arg("interpolation") = "linear",
          py::arg("outside") = py::none(), py::arg("threads") = 0, doc);
  };
  options(resampler<SliceStack, Geometry>(), "stack", R"(Read a source at the places of a target's voxels.

Overloads: a SliceStack or Volume (HU; ``outside`` -1024 by default) to a Geometry, a Volume to a SliceGeometry (gives a
SliceStack), an array with its Geometry to a Geometry or SliceGeometry (``outside`` 0), a LabelMap or SliceLabels
(nearest neighbour; background outside).

A Volume is read as ITK does (linear or nearest, inside while each index is in [-0.5, n - 0.5)). A SliceStack is read plane by
plane, weighted by distance along the normal; padded pixels take no part. See resample.hpp, Note [Resampling].

Parameters
----------
to : Geometry or SliceGeometry
interpolation : "linear" or "nearest"
outside : value of points outside the source
threads : int, 0 for as many as the machine has)");
  options(resampler<Volume, Geometry>(), "volume");
  options(resampler<Volume, SliceGeometry>(), "volume");
  const auto arrays = [&](auto f) {
    m.def("resample_to", f, py::arg("values"), py::arg("from_geometry"), py::arg("to"),
          py::arg("interpolation") = "linear", py::arg("outside") = py::none(), py::arg("threads") = 0);
  };
  arrays(array_resampler<Geometry>());
  arrays(array_resampler<SliceGeometry>());
  m.def("resample_to", label_resampler<LabelMap, Geometry>(), py::arg("labels"), py::arg("to"), py::arg("threads") = 0);
  m.def("resample_to", label_resampler<LabelMap, SliceGeometry>(), py::arg("labels"), py::arg("to"),
        py::arg("threads") = 0);
  m.def("resample_to", label_resampler<SliceLabels, Geometry>(), py::arg("labels"), py::arg("to"),
        py::arg("threads") = 0);
}

/// A function of a mask, a length in mm and a spacing.
template <class F>
auto ball(F f) {
  return [f](ByteArray mask, double radius_mm, const Eigen::Vector3d& spacing_mm, int threads) {
    const auto values = borrow<std::uint8_t, 3>(std::move(mask));
    return lend(unlocked([&] { return f(values, radius_mm, spacing_mm, threads); }));
  };
}

void bind_morphology(py::module_& m) {
  const auto ball_function = [&](const char* name, auto f, const char* doc) {
    m.def(name, ball(f), py::arg("mask"), py::arg("radius_mm"), py::arg("spacing_mm"), py::arg("threads") = 0, doc);
  };
  ball_function("dilate", dilate, "Dilation of a mask (z, y, x) with a ball; spacing_mm is x, y, z.");
  ball_function("erode", erode, "Erosion with a ball; what lies outside the array takes no part.");
  ball_function("open_mask", open_mask, "Erosion, then dilation.");
  ball_function("close_mask", close_mask, "Dilation, then erosion.");
  const auto mask_function = [&](const char* name, auto f, const char* doc) {
    m.def(
        name,
        [f](ByteArray mask) {
          const auto values = borrow<std::uint8_t, 3>(std::move(mask));
          return lend(unlocked([&] { return f(values); }));
        },
        py::arg("mask"), doc);
  };
  mask_function("fill_holes", fill_holes, "As scipy.ndimage.binary_fill_holes.");
  mask_function(
      "fill_holes_in_slices", [](const auto& mask) { return fill_holes_in_slices(mask); },
      "fill_holes in each slice by itself.");
  mask_function("largest_piece", largest_piece, "The largest piece over shared faces.");
  m.def(
      "gaussian_smooth",
      [](FloatArray values, double sigma_mm, const Eigen::Vector3d& spacing_mm, int threads) {
        const auto source = borrow<float, 3>(std::move(values));
        return lend(unlocked([&] { return gaussian_smooth(source, sigma_mm, spacing_mm, threads); }));
      },
      py::arg("values"), py::arg("sigma_mm"), py::arg("spacing_mm"), py::arg("threads") = 0,
      "As scipy.ndimage.gaussian_filter(values, sigma_mm / spacing, mode='nearest'); spacing_mm is x, y, z.");
}

void bind_masks(py::module_& m) {
  m.def(
      "head_mask",
      [](const Volume& volume, double tissue_hu, double clipped_tissue_hu, double thinnest_mm, double gap_mm,
         int threads) {
        const HeadMaskOptions options{tissue_hu, clipped_tissue_hu, thinnest_mm, gap_mm, threads};
        return lend(unlocked([&] { return head_mask(volume, options); }));
      },
      py::arg("volume"), py::kw_only(), py::arg("tissue_hu") = HeadMaskOptions{}.tissue_hu,
      py::arg("clipped_tissue_hu") = HeadMaskOptions{}.clipped_tissue_hu,
      py::arg("thinnest_mm") = HeadMaskOptions{}.thinnest_mm, py::arg("gap_mm") = HeadMaskOptions{}.gap_mm,
      py::arg("threads") = 0,
      R"(The head with all that it holds, as uint8 (z, y, x), 1 inside.

For full-range HU and for scans that are clipped to a window (see masks.hpp, Note [Clipped scans]).)");
  m.def(
      "brain_mask",
      [](const Volume& volume, double low_hu, double high_hu, double bone_hu, double skull_gap_mm, double smooth_mm,
         double erode_mm, int threads) {
        const BrainMaskOptions options{low_hu, high_hu, bone_hu, skull_gap_mm, smooth_mm, erode_mm, threads};
        return lend(unlocked([&] { return brain_mask(volume, options); }));
      },
      py::arg("volume"), py::kw_only(), py::arg("low_hu") = BrainMaskOptions{}.low_hu,
      py::arg("high_hu") = BrainMaskOptions{}.high_hu, py::arg("bone_hu") = BrainMaskOptions{}.bone_hu,
      py::arg("skull_gap_mm") = BrainMaskOptions{}.skull_gap_mm, py::arg("smooth_mm") = BrainMaskOptions{}.smooth_mm,
      py::arg("erode_mm") = BrainMaskOptions{}.erode_mm, py::arg("threads") = 0,
      R"(What lies inside the skull, fluid and blood included, as uint8 (z, y, x), 1 inside.

After Muschelli et al. (NeuroImage 2015), with morphology in place of BET.)");
  m.def(
      "foreground_box",
      [](ByteArray mask, std::int64_t margin) -> py::object {
        const auto box = foreground_box(borrow<std::uint8_t, 3>(std::move(mask)), margin);
        if (!box) return py::none();
        return py::make_tuple(box->first, box->size);
      },
      py::arg("mask"), py::arg("margin") = 0,
      "First voxel and size (x, y, z) of the box around a mask; None if empty.");
  m.def(
      "crop",
      [](const Volume& v, std::array<std::int64_t, 3> first, std::array<std::int64_t, 3> size) {
        return crop(v, {first, size});
      },
      py::arg("volume"), py::arg("first"), py::arg("size"), "The part in a box (x, y, z), with its geometry.");
  m.def(
      "crop",
      [](const LabelMap& v, std::array<std::int64_t, 3> first, std::array<std::int64_t, 3> size) {
        return crop(v, {first, size});
      },
      py::arg("labels"), py::arg("first"), py::arg("size"));
}

}  // namespace

void bind_preprocess(py::module_& m) {
  bind_window(m);
  bind_resample(m);
  bind_morphology(m);
  bind_masks(m);
  m.def(
      "connected_components",
      [](ByteArray mask, int connectivity) {
        const auto values = borrow<std::uint8_t, 3>(std::move(mask));
        const auto neighbours = connectivity_of(connectivity);
        auto found = unlocked([&] { return connected_components(values, neighbours); });
        return py::make_tuple(lend(found.labels), found.sizes);
      },
      py::arg("mask"), py::arg("connectivity") = 26,
      R"(Connected pieces of a mask, numbered as scipy.ndimage.label numbers them.

Parameters
----------
mask : uint8 array (z, y, x), anything but 0 inside
connectivity : 6, 18 or 26 neighbours

Returns
-------
labels : int32 array (z, y, x)
sizes : voxels of each label; sizes[0] those outside the mask)");
}

}  // namespace ichdet::python
