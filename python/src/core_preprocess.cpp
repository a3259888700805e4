#include "ichdet/core/components.hpp"
#include "ichdet/preprocess/grid.hpp"
#include "ichdet/preprocess/masks.hpp"
#include "ichdet/preprocess/morphology.hpp"
#include "ichdet/preprocess/resample.hpp"
#include "ichdet/preprocess/window.hpp"
#include "value.hpp"

namespace ichdet::python {

namespace {

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

void bind_window_type(py::module_& m) {
  py::class_<Window> window(m, "Window", R"(The range of Hounsfield units that a picture spreads over its grey values.

Parameters
----------
low_hu : float
    Shown as black.
high_hu : float
    Shown as white.

Examples
--------
>>> ichdet.Window.centre_width(40, 80)
<ichdet.Window 0.0 to 80.0 HU>
>>> ichdet.Window.parse("subdural") == ichdet.Window(-20, 180)
True
)");
  window
      .def(py::init<double, double>(), py::arg("low_hu") = Window{}.low_hu, py::arg("high_hu") = Window{}.high_hu,
           "See the class.")
      .def_static("centre_width", &Window::centre_width, py::arg("centre_hu"), py::arg("width_hu"),
                  "centre - width / 2 to centre + width / 2, the notation of scanners ('W80 L40').")
      .def_static(
          "parse", [](const std::string& text) { return parse_window(text); }, py::arg("text"),
          "A window by name (see `named_windows`) or from 'CENTRE,WIDTH'. Raises OptionsError that lists the names.")
      .def_readwrite("low_hu", &Window::low_hu, "Shown as black.")
      .def_readwrite("high_hu", &Window::high_hu, "Shown as white.")
      .def_property_readonly("centre_hu", &Window::centre_hu, "Half-way between them.")
      .def_property_readonly("width_hu", &Window::width_hu, "high_hu - low_hu.")
      .def(
          "__eq__", [](const Window& a, const Window& b) { return a.low_hu == b.low_hu && a.high_hu == b.high_hu; },
          py::arg("other"), py::is_operator(), "The same limits.")
      .def("__repr__", [](const Window& w) {
        return "<ichdet.Window " + std::string(py::repr(py::float_(w.low_hu))) + " to " +
               std::string(py::repr(py::float_(w.high_hu))) + " HU>";
      });
  pickled(window, &Window::low_hu, &Window::high_hu);
  m.def(
      "named_windows",
      [] {
        std::map<std::string, Window> windows;
        for (const auto& [name, value] : named_windows()) windows.emplace(name, value);
        return windows;
      },
      R"(The windows that have names.

Returns
-------
dict of str to Window
    brain W80 L40, subdural W200 L80, stroke W40 L40, bone W3000 L500, soft_tissue W380 L40, and blast_ct, -15 to
    100 HU.

Notes
-----
S3's channels, S4's public code, BLAST-CT v1.

Examples
--------
>>> ichdet.named_windows()["brain"]
<ichdet.Window 0.0 to 80.0 HU>
)");
}

void bind_window(py::module_& m) {
  const WindowOptions usual;
  const Limits range{usual.low_value, usual.high_value};
  m.def(
      "window",
      [](const Floats32<3>& hu, const Window& w, Limits range, int threads) {
        return lend(unlocked([&] { return window(hu.values, w, {range.first, range.second, {}, threads}); }));
      },
      py::arg("hu"), py::arg("window"), py::arg("range") = range, py::arg("threads") = usual.threads,
      R"(Clip to a window and map it linearly to `range`.

Parameters
----------
hu : (z, y, x) float32
    An array, tensor or Volume.
window : Window
range : (float, float)
    What the window's lower and upper limits become. NaN becomes the lower one.
threads : int
    0: as many as the machine has. Does not change any bit.

Returns
-------
(z, y, x) float32

Raises
------
OptionsError
    Unless low_hu < high_hu, both finite.

Notes
-----
Equal, bit for bit, to ``(np.clip(hu, low, high) - low) / (high - low)`` in float32 for the range (0, 1).

Examples
--------
>>> hu = np.array([-1000, 0, 20, 80, 1500], "float32").reshape(1, 1, 5)
>>> ichdet.window(hu, ichdet.Window(0, 80))
array([[[0.  , 0.  , 0.25, 1.  , 1.  ]]], dtype=float32)
)");
  m.def(
      "window_channels",
      [](const Floats32<3>& hu, const std::vector<Window>& windows, Limits range, const std::string& order, int threads,
         const std::optional<py::array_t<float, py::array::c_style>>& out) {
        const auto options = window_options(range, order, threads);
        if (!out) {
          return py::array_t<float>(lend(unlocked([&] { return window_channels(hu.values, windows, options); })));
        }
        if (!out->writeable()) throw Error::mismatch(ErrorCode::options, "out", "a writeable array", "a read-only one");
        auto target = borrow<float, 4>(*out, "out");
        unlocked([&] { window_channels_into(hu.values, windows, target, options); });
        return py::array_t<float>(*out);
      },
      py::arg("hu"), py::arg("windows"), py::arg("range") = range, py::arg("order") = "channel_first",
      py::arg("threads") = usual.threads, py::arg("out").noconvert() = py::none(),
      R"(Several windows of one array in one pass.

Parameters
----------
hu : (z, y, x) float32
    An array, tensor or Volume.
windows : list of Window
range : (float, float)
    What each window's lower and upper limits become.
order : str
    "channel_first" for (channel, z, y, x), which 3D networks read; "slice_first" for (z, channel, y, x), a batch of
    slices.
threads : int
    0: as many as the machine has.
out : float32 array, optional
    C-contiguous, of the result's shape: written to and returned.

Returns
-------
(channel, z, y, x) or (z, channel, y, x) float32

Raises
------
ShapeError
    `out` is of another shape.
OptionsError
    A window without width, another word for `order`, or a read-only `out`.

Examples
--------
>>> hu = np.array([0, 40, 80], "float32").reshape(1, 1, 3)
>>> ichdet.window_channels(hu, [ichdet.Window(0, 80), ichdet.Window(40, 80)], order="slice_first")
array([[[[0. , 0.5, 1. ]],
<BLANKLINE>
        [[0. , 0. , 1. ]]]], dtype=float32)
)");
  m.def(
      "window_8bit",
      [](const Floats32<3>& hu, const Window& w, const std::string& rounding, int threads) {
        const auto how = rounding_of(rounding);
        WindowOptions options;
        options.threads = threads;
        return lend(unlocked([&] { return window_8bit(hu.values, w, how, options); }));
      },
      py::arg("hu"), py::arg("window"), py::arg("rounding") = "truncate", py::arg("threads") = usual.threads,
      R"(A window to 0..255, as pictures have it.

Parameters
----------
hu : (z, y, x) float32
    An array, tensor or Volume.
window : Window
rounding : str
    "truncate", towards 0, as NumPy's astype(uint8) in S1's PNG files; or "nearest", half upwards.
threads : int
    0: as many as the machine has.

Returns
-------
(z, y, x) uint8

Raises
------
OptionsError
    A window without width, or another word for `rounding`.

Notes
-----
``(np.clip(hu, low, high) - low) / (high - low) * 255`` in float32, then rounded.

Examples
--------
>>> hu = np.array([0, 20, 60, 80], "float32").reshape(1, 1, 4)
>>> ichdet.window_8bit(hu, ichdet.Window(0, 80))
array([[[  0,  63, 191, 255]]], dtype=uint8)
)");
  m.def(
      "window_channels_8bit",
      [](const Floats32<3>& hu, const std::vector<Window>& windows, const std::string& rounding,
         const std::string& order, int threads) {
        const auto options = window_options({0, 1}, order, threads);
        const auto how = rounding_of(rounding);
        return lend(unlocked([&] { return window_channels_8bit(hu.values, windows, how, options); }));
      },
      py::arg("hu"), py::arg("windows"), py::arg("rounding") = "truncate", py::arg("order") = "channel_first",
      py::arg("threads") = usual.threads, R"(Several windows to 0..255, as the papers store them in PNG.

Parameters
----------
hu : (z, y, x) float32
    An array, tensor or Volume.
windows : list of Window
rounding : str
    "truncate" or "nearest", as of `window_8bit`.
order : str
    "channel_first" or "slice_first", as of `window_channels`.
threads : int
    0: as many as the machine has.

Returns
-------
(channel, z, y, x) or (z, channel, y, x) uint8

Raises
------
OptionsError
    A window without width, or another word for `rounding` or `order`.

Examples
--------
>>> hu = np.full((2, 4, 4), 30, "float32")
>>> ichdet.window_channels_8bit(hu, list(ichdet.named_windows().values())).shape
(6, 2, 4, 4)
)");
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
  return [](const Floats32<3>& values, const Geometry& from, const To& to, const std::string& interpolation,
            std::optional<float> outside, int threads) {
    const auto options = resample_options(interpolation, outside, threads);
    return lend(unlocked([&] { return resample_to(values.values, from, to, options); }));
  };
}

void bind_resample(py::module_& m) {
  m.def("segmentation_grid", &segmentation_grid, py::arg("slices"), py::arg("spacing_mm"),
        R"(The regular grid on which a segmenter reads a stack.

Its axes run along the slices' own rows, columns and normal, turned and flipped so that x, y, z run nearest to +L, +P,
+S. A tilted or variably spaced stack gets the smallest such grid that covers every slice.

Parameters
----------
slices : SliceGeometry
spacing_mm : (3,) float64
    x, y, z.

Returns
-------
Geometry

Raises
------
LimitError
    Beyond 2^31 voxels.

Notes
-----
On a straight stack of equal steps, the grid of blast-ct 2.1.0 (nifti/rescale.py).

Examples
--------
>>> planes = [ichdet.SlicePlane(position_mm=(0, 0.2 * z, z), thickness_mm=5) for z in (0, 5, 10, 20)]
>>> ichdet.segmentation_grid(ichdet.SliceGeometry(planes, rows=48, columns=48), (1, 1, 2)).size
(48, 52, 11)
)");
  const auto options = [&](auto f, const char* first, const char* doc = "") {
    m.def("resample_to", f, py::arg(first), py::arg("to"), py::arg("interpolation") = "linear",
          py::arg("outside") = py::none(), py::arg("threads") = ResampleOptions{}.threads, doc);
  };
  options(resampler<SliceStack, Geometry>(), "stack", R"(Read a source at the places of a target's voxels.

A SliceStack or Volume goes to a Geometry (gives a Volume), a Volume to a SliceGeometry (gives a SliceStack); a
ProbabilityMap to a Geometry, or to a SliceGeometry (gives an array (class, slice, row, column)); an array with its
Geometry to either (gives an array); a LabelMap to either and SliceLabels to a Geometry, by nearest neighbour.

Parameters
----------
stack, volume, probabilities, labels, values
    The source.
from_geometry : Geometry
    Of `values`.
to : Geometry or SliceGeometry
interpolation : str
    "linear" or "nearest"; labels are always read by the nearest.
outside : float, optional
    What a point outside the source becomes. Default: -1024 HU; of arrays 0; of probabilities class 0 is certain; of
    labels background.
threads : int
    0: as many as the machine has. Does not change any bit.

Returns
-------
Volume, SliceStack, ProbabilityMap, LabelMap, SliceLabels or float32 array

Raises
------
GeometryError
    Both sides name a frame of reference and they differ.
OptionsError
    Another word for `interpolation`.

Notes
-----
A Volume is read as ITK does: inside while each index is in [-0.5, n - 0.5). A SliceStack is read plane by plane,
weighted by distance along the normal, exact with tilt and variable gaps; padded pixels take no part. Nothing is
smoothed: a coarser target samples the source. resample.hpp, Note [Resampling].

Examples
--------
>>> slices = ichdet.SliceGeometry([ichdet.SlicePlane(position_mm=(0, 0, z)) for z in (0, 4, 12)], rows=1, columns=2)
>>> stack = ichdet.SliceStack(slices, np.array([[[0, 0]], [[40, 40]], [[80, 160]]], "float32"))
>>> grid = ichdet.Geometry.aligned(size=(2, 1, 7), spacing_mm=(1, 1, 2))
>>> volume = ichdet.resample_to(stack, grid)
>>> volume.hu[:, 0, 1]
array([  0.,  20.,  40.,  70., 100., 130., 160.], dtype=float32)
>>> bright = ichdet.LabelMap(volume.hu > 75, ["background", "bright"], grid)
>>> ichdet.resample_to(bright, slices).labels[:, 0]
array([[0, 0],
       [0, 0],
       [1, 1]], dtype=uint8)
)");
  options(resampler<Volume, Geometry>(), "volume");
  options(resampler<Volume, SliceGeometry>(), "volume");
  options(resampler<ProbabilityMap, Geometry>(), "probabilities");
  m.def(
      "resample_to",
      [](const ProbabilityMap& from, const SliceGeometry& to, const std::string& interpolation,
         std::optional<float> outside, int threads) {
        const auto how = resample_options(interpolation, outside, threads);
        return lend(unlocked([&] { return resample_to(from, to, how); }));
      },
      py::arg("probabilities"), py::arg("to"), py::arg("interpolation") = "linear", py::arg("outside") = py::none(),
      py::arg("threads") = ResampleOptions{}.threads);
  const auto labels = [&](auto f) {
    m.def("resample_to", f, py::arg("labels"), py::arg("to"), py::arg("threads") = ResampleOptions{}.threads);
  };
  labels(label_resampler<LabelMap, Geometry>());
  labels(label_resampler<LabelMap, SliceGeometry>());
  labels(label_resampler<SliceLabels, Geometry>());
  const auto arrays = [&](auto f) {
    m.def("resample_to", f, py::arg("values"), py::arg("from_geometry"), py::arg("to"),
          py::arg("interpolation") = "linear", py::arg("outside") = py::none(),
          py::arg("threads") = ResampleOptions{}.threads);
  };
  arrays(array_resampler<Geometry>());
  arrays(array_resampler<SliceGeometry>());
}

void bind_balls(py::module_& m) {
  const auto add = [&](const char* name, auto f, const std::string& doc) {
    m.def(
        name,
        [f](const Mask<3>& mask, double radius_mm, const Eigen::Vector3d& spacing_mm, int threads) {
          return lend(unlocked([&] { return f(mask.values, radius_mm, spacing_mm, threads); }));
        },
        py::arg("mask"), py::arg("radius_mm"), py::arg("spacing_mm"), py::arg("threads") = 0, doc.c_str());
  };
  const std::string parameters = R"(

Parameters
----------
mask : (z, y, x) uint8 or bool
    Anything but 0 is inside.
radius_mm : float
    Of the ball.
spacing_mm : (3,) float64
    x, y, z.
threads : int
    0: as many as the machine has. Does not change any bit.

Returns
-------
(z, y, x) uint8
    0 and 1.

Examples
--------
)";
  add("dilate", dilate,
      "Every voxel whose centre lies within a radius of a voxel of the mask: dilation with a ball." + parameters +
          R"(>>> mask = np.zeros((1, 5, 5), "uint8")
>>> mask[0, 2, 2] = 1
>>> ichdet.dilate(mask, radius_mm=1, spacing_mm=(0.5, 1, 5))
array([[[0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [1, 1, 1, 1, 1],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0]]], dtype=uint8)
)");
  add("erode", erode,
      "Erosion with a ball; what lies outside the array takes no part, so nothing is eaten from its border." +
          parameters + R"(>>> mask = np.ones((1, 5, 5), "uint8")
>>> mask[0, 0, 0] = 0
>>> int(ichdet.erode(mask, radius_mm=1, spacing_mm=(1, 1, 5)).sum())
22
)");
  add("open_mask", open_mask,
      "Erosion, then dilation: removes what is thinner than the ball." + parameters +
          R"(>>> mask = np.zeros((1, 7, 7), "uint8")
>>> mask[0, 1:6, 1:6] = mask[0, 0, 3] = 1
>>> ichdet.open_mask(mask, radius_mm=1.5, spacing_mm=(1, 1, 5))[0, :2, 3]
array([0, 1], dtype=uint8)
)");
  add("close_mask", close_mask,
      "Dilation, then erosion: closes gaps narrower than the ball." + parameters +
          R"(>>> mask = np.zeros((1, 3, 9), "uint8")
>>> mask[0, :, 2:4] = mask[0, :, 5:7] = 1
>>> ichdet.close_mask(mask, radius_mm=1, spacing_mm=(1, 1, 5))[0, 1]
array([0, 0, 1, 1, 1, 1, 1, 0, 0], dtype=uint8)
)");
}

void bind_morphology(py::module_& m) {
  m.def(
      "fill_holes", [](const Mask<3>& mask) { return lend(unlocked([&] { return fill_holes(mask.values); })); },
      py::arg("mask"), R"(Add every piece of background that no path over shared faces joins to the border.

Parameters
----------
mask : (z, y, x) uint8 or bool
    Anything but 0 is inside.

Returns
-------
(z, y, x) uint8
    0 and 1.

Notes
-----
As scipy.ndimage.binary_fill_holes.

Examples
--------
>>> mask = np.ones((3, 3, 3), "uint8")
>>> mask[1, 1, 1] = 0
>>> int(ichdet.fill_holes(mask).sum())
27
)");
  m.def(
      "fill_holes_in_slices",
      [](const Mask<3>& mask, int threads) {
        return lend(unlocked([&] { return fill_holes_in_slices(mask.values, threads); }));
      },
      py::arg("mask"), py::arg("threads") = 0, R"(`fill_holes` in each slice by itself, over shared edges of pixels.

Parameters
----------
mask : (z, y, x) uint8 or bool
    Anything but 0 is inside.
threads : int
    0: as many as the machine has.

Returns
-------
(z, y, x) uint8
    0 and 1.

Examples
--------
>>> ring = np.ones((1, 3, 3), "uint8")
>>> ring[0, 1, 1] = 0
>>> int(ichdet.fill_holes_in_slices(ring).sum()), int(ichdet.fill_holes(ring).sum())
(9, 8)
)");
  m.def(
      "largest_piece", [](const Mask<3>& mask) { return lend(unlocked([&] { return largest_piece(mask.values); })); },
      py::arg("mask"), R"(The largest piece over shared faces; the first of two equal ones.

Parameters
----------
mask : (z, y, x) uint8 or bool
    Anything but 0 is inside.

Returns
-------
(z, y, x) uint8
    0 and 1; empty where the mask is.

Examples
--------
>>> ichdet.largest_piece(np.array([[[1, 0, 1, 1, 0, 1]]], "uint8"))
array([[[0, 0, 1, 1, 0, 0]]], dtype=uint8)
)");
  m.def(
      "gaussian_smooth",
      [](const Floats32<3>& values, double sigma_mm, const Eigen::Vector3d& spacing_mm, int threads) {
        return lend(unlocked([&] { return gaussian_smooth(values.values, sigma_mm, spacing_mm, threads); }));
      },
      py::arg("values"), py::arg("sigma_mm"), py::arg("spacing_mm"), py::arg("threads") = 0,
      R"(Smooth with a Gaussian, cut off at 4 sigma, values beyond the border repeated from it.

Parameters
----------
values : (z, y, x) float32
sigma_mm : float
spacing_mm : (3,) float64
    x, y, z.
threads : int
    0: as many as the machine has. Does not change any bit.

Returns
-------
(z, y, x) float32

Notes
-----
As scipy.ndimage.gaussian_filter(values, sigma_mm / spacing, mode="nearest").

Examples
--------
>>> step = np.repeat([0, 1], 4).astype("float32").reshape(1, 1, 8)
>>> ichdet.gaussian_smooth(step, sigma_mm=1, spacing_mm=(1, 1, 5)).round(2)
array([[[0.  , 0.  , 0.06, 0.3 , 0.7 , 0.94, 1.  , 1.  ]]], dtype=float32)
)");
  m.def(
      "connected_components",
      [](const Mask<3>& mask, int connectivity) {
        const auto neighbours = connectivity_of(connectivity);
        auto found = unlocked([&] { return connected_components(mask.values, neighbours); });
        return std::pair(lend(found.labels), found.sizes);
      },
      py::arg("mask"), py::arg("connectivity") = int(Connectivity::corners),
      R"(Connected pieces of a mask, numbered as scipy.ndimage.label numbers them.

Parameters
----------
mask : (z, y, x) uint8 or bool
    Anything but 0 is inside.
connectivity : int
    6, 18 or 26 neighbours.

Returns
-------
labels : (z, y, x) int32
    0 outside, else 1, 2, ... in the order of each piece's first voxel.
sizes : list of int
    Voxels of each label; sizes[0] those outside the mask.

Raises
------
OptionsError
    Another number of neighbours.
LimitError
    Beyond 2^31 - 1 pieces.

Examples
--------
>>> labels, sizes = ichdet.connected_components(np.array([[[1, 0, 1, 1]]], "uint8"))
>>> labels, sizes
(array([[[1, 0, 2, 2]]], dtype=int32), [1, 1, 2])
)");
}

void bind_masks(py::module_& m) {
  const HeadMaskOptions head;
  m.def(
      "head_mask",
      [](const Volume& volume, double tissue_hu, double clipped_tissue_hu, double thinnest_mm, double gap_mm,
         int threads) {
        const HeadMaskOptions options{tissue_hu, clipped_tissue_hu, thinnest_mm, gap_mm, threads};
        return lend(unlocked([&] { return head_mask(volume, options); }));
      },
      py::arg("volume"), py::kw_only(), py::arg("tissue_hu") = head.tissue_hu,
      py::arg("clipped_tissue_hu") = head.clipped_tissue_hu, py::arg("thinnest_mm") = head.thinnest_mm,
      py::arg("gap_mm") = head.gap_mm, py::arg("threads") = head.threads,
      R"(The head with all that it holds, air in its cavities included.

Threshold, opening with a ball, the largest piece, what hangs on closely, closing, holes filled slice by slice. For
full-range HU and for scans that are clipped to a window.

Parameters
----------
volume : Volume
tissue_hu : float
    The head is denser than this.
clipped_tissue_hu : float
    Above the lowest value, where the scan has no air.
thinnest_mm : float
    Table and head rest are thinner: pieces that hang on by less than twice this are cut off.
gap_mm : float
    Openings of the outline up to twice this are closed before it is filled.
threads : int
    0: as many as the machine has. Does not change any bit.

Returns
-------
(z, y, x) uint8
    1 inside.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(64, 64, 12), spacing_mm=(3, 3, 13))
>>> z, y, x = np.ogrid[:12, :64, :64]
>>> radius = np.sqrt((3 * (x - 31.5)) ** 2 + (3 * (y - 31.5)) ** 2 + (13 * (z - 5.5)) ** 2)
>>> hu = np.select([radius < 75, radius < 85], [35, 1000], -1000)  # brain, skull, air
>>> head = ichdet.head_mask(ichdet.Volume(hu, grid))
>>> int(head.sum()), int((radius < 85).sum())
(21824, 21824)
)");
  const BrainMaskOptions brain;
  m.def(
      "brain_mask",
      [](const Volume& volume, double low_hu, double high_hu, double bone_hu, double skull_gap_mm, double smooth_mm,
         double erode_mm, int threads) {
        const BrainMaskOptions options{low_hu, high_hu, bone_hu, skull_gap_mm, smooth_mm, erode_mm, threads};
        return lend(unlocked([&] { return brain_mask(volume, options); }));
      },
      py::arg("volume"), py::kw_only(), py::arg("low_hu") = brain.low_hu, py::arg("high_hu") = brain.high_hu,
      py::arg("bone_hu") = brain.bone_hu, py::arg("skull_gap_mm") = brain.skull_gap_mm,
      py::arg("smooth_mm") = brain.smooth_mm, py::arg("erode_mm") = brain.erode_mm, py::arg("threads") = brain.threads,
      R"(What lies inside the skull, fluid and blood included.

Parameters
----------
volume : Volume
low_hu, high_hu : float
    What may be brain, blood or fluid.
bone_hu : float
    The skull is denser.
skull_gap_mm : float
    Gaps of the skull up to twice this are bridged. Where it is open wider (craniectomy), that slice's brain is missed.
smooth_mm : float
    Sigma of the Gaussian.
erode_mm : float
    Bridges to other tissue up to twice this wide are cut.
threads : int
    0: as many as the machine has. Does not change any bit.

Returns
-------
(z, y, x) uint8
    1 inside.

Notes
-----
After Muschelli et al., NeuroImage 114 (2015), with morphology in place of BET.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(64, 64, 12), spacing_mm=(3, 3, 13))
>>> z, y, x = np.ogrid[:12, :64, :64]
>>> radius = np.sqrt((3 * (x - 31.5)) ** 2 + (3 * (y - 31.5)) ** 2 + (13 * (z - 5.5)) ** 2)
>>> hu = np.select([radius < 75, radius < 85], [35, 1000], -1000)  # brain, skull, air
>>> brain = ichdet.brain_mask(ichdet.Volume(hu, grid))
>>> round(float(brain.sum() * grid.voxel_ml)), round(float((radius < 75).sum() * grid.voxel_ml))
(1768, 1772)
)");
}

using Index = std::tuple<std::int64_t, std::int64_t, std::int64_t>;
using Box = std::pair<Index, Index>;

void bind_boxes(py::module_& m) {
  m.def(
      "foreground_box",
      [](const Mask<3>& mask, std::int64_t margin) -> std::optional<Box> {
        const auto box = unlocked([&] { return foreground_box(mask.values, margin); });
        return box ? std::optional(Box(tuple_of(box->first), tuple_of(box->size))) : std::nullopt;
      },
      py::arg("mask"), py::arg("margin") = 0, R"(The smallest box that holds every voxel of a mask.

Parameters
----------
mask : (z, y, x) uint8 or bool
    Anything but 0 is inside.
margin : int
    Voxels wider on each side, where the array allows it.

Returns
-------
((int, int, int), (int, int, int)) or None
    First voxel and size (x, y, z); None where the mask is empty.

Examples
--------
>>> mask = np.zeros((4, 8, 8), "uint8")
>>> mask[1:3, 2:4, 5] = 1
>>> ichdet.foreground_box(mask, margin=1)
((4, 1, 0), (3, 4, 4))
)");
  const char* doc = R"(The part in a box, voxels copied, geometry in place.

Parameters
----------
volume, labels : Volume or LabelMap
first : (int, int, int)
    First voxel (x, y, z).
size : (int, int, int)
    Voxels along x, y, z.

Returns
-------
Volume or LabelMap

Raises
------
ShapeError
    Unless the box lies inside.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(8, 8, 4), spacing_mm=(1, 1, 5))
>>> part = ichdet.crop(ichdet.Volume(np.zeros(grid.shape, "float32"), grid), first=(2, 3, 1), size=(4, 4, 2))
>>> part.shape, part.geometry.origin_mm
((2, 4, 4), array([2., 3., 5.]))
)";
  const auto cropper = [&]<class Image>(const char* name, const Image*, const char* text) {
    m.def(
        "crop",
        [](const Image& image, std::array<std::int64_t, 3> first, std::array<std::int64_t, 3> size) {
          return crop(image, {first, size});
        },
        py::arg(name), py::arg("first"), py::arg("size"), py::call_guard<py::gil_scoped_release>(), text);
  };
  cropper("volume", static_cast<const Volume*>(nullptr), doc);
  cropper("labels", static_cast<const LabelMap*>(nullptr), "");
}

}  // namespace

void bind_preprocess(py::module_& m) {
  bind_window_type(m);
  bind_window(m);
  bind_resample(m);
  bind_balls(m);
  bind_morphology(m);
  bind_masks(m);
  bind_boxes(m);
}

}  // namespace ichdet::python
