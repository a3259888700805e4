#include "convert.hpp"
#include "ichdet/core/components.hpp"
#include "ichdet/core/error.hpp"
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

}  // namespace

void bind_preprocess(py::module_& m) {
  bind_window(m);
  bind_resample(m);
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
