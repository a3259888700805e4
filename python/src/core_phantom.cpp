#include "ichdet/phantom/paint.hpp"
#include "ichdet/phantom/phantom.hpp"
#include "value.hpp"
#include "watched.hpp"

namespace ichdet::python {

namespace {

Hemorrhage make_hemorrhage(const std::string& type, double volume_ml, const std::string& side,
                           const std::string& region, std::optional<Eigen::Vector3d> target_mm, double density_hu,
                           double texture_hu, double texture_mm, double soft_edge_mm, double oedema_mm) {
  return {
      hemorrhage_type(type), volume_ml, hemorrhage_side(side), region, target_mm, density_hu, texture_hu, texture_mm,
      soft_edge_mm,          oedema_mm};
}

std::string number(double value) { return std::string(py::str(py::float_(std::round(value * 1e3) / 1e3))); }

void bind_hemorrhage(py::module_& m) {
  using H = Hemorrhage;
  const H usual;
  py::class_<H> hemorrhage(m, "Hemorrhage", R"(A hemorrhage as asked for: what `phantom` and `paint` make.

Parameters
----------
type : str
    "intraparenchymal", "intraventricular", "subdural", "epidural" or "subarachnoid"; iph, ivh, sdh, edh, sah, too.
volume_ml : float
    Of the label map.
side : str
    The patient's "left" or "right"; "any" is drawn from the seed.
region : str
    Empty: drawn from the seed. Intraparenchymal: "basal ganglia", "thalamus", "frontal", "parietal", "temporal",
    "occipital", "cerebellum", "pons". Subdural, epidural, subarachnoid: "frontal", "parietal", "temporal", "occipital";
    subarachnoid also "basal cisterns".
target_mm : (3,) float64, optional
    LPS; where it starts to grow. Overrules side and region.
density_hu : float
    Of undiluted blood.
texture_hu : float
    Standard deviation of its slow variation.
texture_mm : float
    Period of that variation.
soft_edge_mm : float
    Width over which it gives way to brain.
oedema_mm : float
    Width of a dark rim around intraparenchymal blood; 0: none.

Raises
------
OptionsError
    Another type or side.

Examples
--------
>>> ichdet.Hemorrhage("sdh", volume_ml=40, side="left")
<ichdet.Hemorrhage subdural, 40.0 mL, left>
)");
  hemorrhage
      .def(py::init(&make_hemorrhage), py::arg("type") = std::string(to_string(usual.type)),
           py::arg("volume_ml") = usual.volume_ml, py::arg("side") = std::string(to_string(usual.side)),
           py::arg("region") = usual.region, py::arg("target_mm") = py::none(),
           py::arg("density_hu") = usual.density_hu, py::arg("texture_hu") = usual.texture_hu,
           py::arg("texture_mm") = usual.texture_mm, py::arg("soft_edge_mm") = usual.soft_edge_mm,
           py::arg("oedema_mm") = usual.oedema_mm, "See the class.")
      .def_property_readonly(
          "type", [](const H& h) { return std::string(to_string(h.type)); }, "Its full name.")
      .def_property_readonly(
          "label", [](const H& h) { return int(h.type); }, "Its value in the label maps of `paint` and `phantom`.")
      .def_property_readonly(
          "side", [](const H& h) { return std::string(to_string(h.side)); },
          "The patient's 'left' or 'right', or 'any'.")
      .def_readonly("volume_ml", &H::volume_ml, "Of the label map.")
      .def_readonly("region", &H::region, "Empty: drawn from the seed.")
      .def_readonly("target_mm", &H::target_mm, "(3,) float64, LPS, where it starts to grow; or None.")
      .def_readonly("density_hu", &H::density_hu, "Of undiluted blood.")
      .def_readonly("texture_hu", &H::texture_hu, "Standard deviation of its slow variation.")
      .def_readonly("texture_mm", &H::texture_mm, "Period of that variation.")
      .def_readonly("soft_edge_mm", &H::soft_edge_mm, "Width over which it gives way to brain.")
      .def_readonly("oedema_mm", &H::oedema_mm, "Width of the dark rim; 0: none.")
      .def("__repr__", [](const H& h) {
        return "<ichdet.Hemorrhage " + std::string(to_string(h.type)) + ", " + number(h.volume_ml) + " mL, " +
               std::string(to_string(h.side)) + (h.region.empty() ? "" : ", " + h.region) + ">";
      });
  pickled_as<std::string, double, std::string, std::string, std::optional<Eigen::Vector3d>, double, double, double,
             double, double>(
      hemorrhage,
      [](const H& h) {
        return std::make_tuple(std::string(to_string(h.type)), h.volume_ml, std::string(to_string(h.side)), h.region,
                               h.target_mm, h.density_hu, h.texture_hu, h.texture_mm, h.soft_edge_mm, h.oedema_mm);
      },
      &make_hemorrhage);

  using P = PaintedHemorrhage;
  py::class_<P> painted(m, "PaintedHemorrhage", R"(A hemorrhage as painted. From `phantom` and `paint`.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(64, 64, 12), spacing_mm=(3, 3, 13), origin_mm=(-94.5, -94.5, -71.5))
>>> z, y, x = np.ogrid[:12, :64, :64]
>>> radius = np.sqrt((3 * (x - 31.5)) ** 2 + (3 * (y - 31.5)) ** 2 + (13 * (z - 5.5)) ** 2)
>>> hu = np.select([radius < 75, radius < 85], [35, 1000], -1000)  # brain, skull, air
>>> stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), hu)
>>> _, truth, placed = ichdet.paint(stack, [ichdet.Hemorrhage("iph", volume_ml=30, side="left")])
>>> placed[0]
<ichdet.PaintedHemorrhage intraparenchymal, 29.952 mL on 3 slices>
>>> bool(placed[0].centroid_mm[0] > 0)  # the patient's left
True
)");
  painted.def_readonly("asked", &P::asked, "Hemorrhage: what was asked for.")
      .def_readonly("volume_ml", &P::volume_ml, "Of its label.")
      .def_readonly("oedema_ml", &P::oedema_ml, "Of the rim's label.")
      .def_readonly("centroid_mm", &P::centroid_mm, "(3,) float64, LPS.")
      .def_readonly("target_mm", &P::target_mm, "(3,) float64, LPS: where it was grown from.")
      .def_readonly("slices", &P::slices, "Indices of the slices that show it, ascending.")
      .def("__repr__", [](const P& p) {
        return "<ichdet.PaintedHemorrhage " + std::string(to_string(p.asked.type)) + ", " + number(p.volume_ml) +
               " mL on " + std::to_string(p.slices.size()) + " slices>";
      });
  pickled(painted, &P::asked, &P::volume_ml, &P::oedema_ml, &P::centroid_mm, &P::target_mm, &P::slices);
  m.def("hemorrhage_label_names", &hemorrhage_label_names, R"(Names of the labels 0 to 6 of `paint` and `phantom`.

Returns
-------
list of str

Examples
--------
>>> ichdet.hemorrhage_label_names()[1:4]
['intraparenchymal', 'intraventricular', 'subdural']
)");
}

void bind_anatomy(py::module_& m) {
  using A = HeadAnatomy;
  py::class_<A> anatomy(m, "HeadAnatomy",
                        R"(What a painter must know of a head, for each pixel of a stack (slice, row, column).

Made by `phantom`, which knows it, or by `anatomy_from_scan`, which derives it from the HU.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(64, 64, 12), spacing_mm=(3, 3, 13), origin_mm=(-94.5, -94.5, -71.5))
>>> z, y, x = np.ogrid[:12, :64, :64]
>>> radius = np.sqrt((3 * (x - 31.5)) ** 2 + (3 * (y - 31.5)) ** 2 + (13 * (z - 5.5)) ** 2)
>>> hu = np.select([radius < 75, radius < 85], [35, 1000], -1000)  # brain, skull, air
>>> stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), hu)
>>> anatomy = ichdet.anatomy_from_scan(stack)
>>> anatomy.depth_mm.shape
(12, 64, 64)
>>> anatomy.midline_mm[6, 32, [20, 44]].round()
array([-34.,  38.], dtype=float32)
)");
  anatomy
      .def_property_readonly(
          "depth_mm", [](const A& a) { return lend(a.depth_mm); },
          "(slice, row, column) float32: distance inwards from the inner table; negative outside the cavity.")
      .def_property_readonly(
          "ventricle", [](const A& a) { return lend(a.ventricle); },
          "(slice, row, column) float32: part of the pixel that is ventricular CSF, in [0, 1].")
      .def_property_readonly(
          "csf", [](const A& a) { return lend(a.csf); },
          "(slice, row, column) float32: part of the pixel that is CSF of sulci and cisterns, in [0, 1].")
      .def_property_readonly(
          "midline_mm", [](const A& a) { return lend(a.midline_mm); },
          "(slice, row, column) float32: distance from the mid-sagittal sheet, positive on the patient's left.")
      .def_property_readonly(
          "head_to_lps", [](const A& a) { return Eigen::Matrix4d(a.head_to_lps.matrix()); },
          "(4, 4) float64, from head coordinates (left, posterior, superior, in mm of an average head) to LPS mm.")
      .def_readonly("assumptions", &A::assumptions, "One sentence each.");
  using F = Floats32<3>;
  pickled_as<F, F, F, F, Eigen::Matrix4d, std::vector<std::string>>(
      anatomy,
      [](const A& a) {
        return std::make_tuple(lend(a.depth_mm), lend(a.ventricle), lend(a.csf), lend(a.midline_mm),
                               Eigen::Matrix4d(a.head_to_lps.matrix()), a.assumptions);
      },
      [](const F& depth, const F& ventricle, const F& csf, const F& midline, const Eigen::Matrix4d& to_lps,
         std::vector<std::string> assumptions) {
        return A{depth.values,   ventricle.values,        csf.values,
                 midline.values, Eigen::Affine3d(to_lps), std::move(assumptions)};
      });

  const AnatomyOptions usual;
  m.def(
      "anatomy_from_scan",
      [](const SliceStack& stack, double bone_hu, double csf_hu, double ventricle_depth_mm, int threads,
         const ProgressArgument& progress) {
        return watched(progress, [&](const Progress& told) {
          return anatomy_from_scan(stack, {bone_hu, csf_hu, ventricle_depth_mm, threads}, told);
        });
      },
      py::arg("stack"), py::kw_only(), py::arg("bone_hu") = usual.bone_hu, py::arg("csf_hu") = usual.csf_hu,
      py::arg("ventricle_depth_mm") = usual.ventricle_depth_mm, py::arg("threads") = usual.threads,
      py::arg("progress") = py::none(), R"(Derive a real scan's cavity, ventricles, CSF and midline from its HU.

Parameters
----------
stack : SliceStack
    That covers less than 100 mm is placed by an assumption that is said.
bone_hu : float
    Skull above this; where no value exceeds it (clipped scans), the highest value.
csf_hu : float
    Smoothed HU below this is mostly CSF.
ventricle_depth_mm : float
    CSF nearer to the skull than this is never called ventricle.
threads : int
    0: as many as the machine has.
progress : None, True or function of (stage, fraction)

Returns
-------
HeadAnatomy

Raises
------
GeometryError
    No cavity is found.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(64, 64, 12), spacing_mm=(3, 3, 13), origin_mm=(-94.5, -94.5, -71.5))
>>> z, y, x = np.ogrid[:12, :64, :64]
>>> radius = np.sqrt((3 * (x - 31.5)) ** 2 + (3 * (y - 31.5)) ** 2 + (13 * (z - 5.5)) ** 2)
>>> hu = np.select([radius < 75, radius < 85], [35, 1000], -1000)  # brain, skull, air
>>> stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), hu)
>>> anatomy = ichdet.anatomy_from_scan(stack)
>>> bool(np.array_equal(anatomy.depth_mm > 0, radius < 75))
True
)");
}

void bind_paint(py::module_& m) {
  const PaintOptions usual;
  m.def(
      "paint",
      [](const SliceStack& stack, const std::vector<Hemorrhage>& hemorrhages, const std::optional<HeadAnatomy>& anatomy,
         std::uint64_t seed, bool keep_noise, double oedema_drop_hu, int threads, const ProgressArgument& progress) {
        return watched(progress, [&](const Progress& told) {
          SliceStack painted = stack;
          painted.hu = stack.hu.clone();
          const auto derived = anatomy ? *anatomy : anatomy_from_scan(stack, {.threads = threads}, told);
          auto labels = paint(painted, derived, hemorrhages, {seed, keep_noise, oedema_drop_hu, threads});
          return std::make_tuple(std::move(painted), std::move(labels.truth), std::move(labels.placed));
        });
      },
      py::arg("stack"), py::arg("hemorrhages"), py::arg("anatomy") = py::none(), py::kw_only(),
      py::arg("seed") = usual.seed, py::arg("keep_noise") = usual.keep_noise,
      py::arg("oedema_drop_hu") = usual.oedema_drop_hu, py::arg("threads") = usual.threads,
      py::arg("progress") = py::none(), R"(Paint hemorrhages into a copy of a scan.

Each is made of the cheapest pixels that may hold its type until its volume is the one asked for. Partial volume with
bone and CSF is kept, and the scan's own noise. docs/painted_blood.md tells the rules.

Parameters
----------
stack : SliceStack
    Integers stay integers.
hemorrhages : list of Hemorrhage
anatomy : HeadAnatomy, optional
    Of this stack; default: `anatomy_from_scan`.
seed : int
    Of place, shape and texture.
keep_noise : bool
    Put the scan's own noise back on the blood.
oedema_drop_hu : float
    How much darker the rim of oedema is than the brain was.
threads : int
    0: as many as the machine has.
progress : None, True or function of (stage, fraction)

Returns
-------
stack : SliceStack
truth : SliceLabels
    Of `hemorrhage_label_names`; where two overlap, the later.
placed : list of PaintedHemorrhage
    In the order asked.

Raises
------
OptionsError
    A hemorrhage of that volume does not fit, or a setting makes no sense.
ShapeError
    The anatomy is of another stack.
GeometryError
    No cavity is found.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(64, 64, 12), spacing_mm=(3, 3, 13), origin_mm=(-94.5, -94.5, -71.5))
>>> z, y, x = np.ogrid[:12, :64, :64]
>>> radius = np.sqrt((3 * (x - 31.5)) ** 2 + (3 * (y - 31.5)) ** 2 + (13 * (z - 5.5)) ** 2)
>>> hu = np.select([radius < 75, radius < 85], [35, 1000], -1000)  # brain, skull, air
>>> stack = ichdet.SliceStack(ichdet.SliceGeometry(grid), hu)
>>> painted, truth, placed = ichdet.paint(stack, [ichdet.Hemorrhage("iph", volume_ml=30)])
>>> round(ichdet.volumes_ml(truth)["intraparenchymal"])
30
>>> round(float(painted.hu[truth.labels == 1].mean()))
63
)");
}

void bind_make(py::module_& m) {
  py::class_<PhantomStudy> study(m, "PhantomStudy",
                                 R"(A head CT made of formulas, with the truth beside it. From `phantom`.

Examples
--------
>>> study = ichdet.phantom(rows=48, columns=48, pixel_mm=4.8, slices=6, thickness_mm=25)
>>> study.stack.shape, study.truth.shape, study.placed
((6, 48, 48), (6, 48, 48), [])
)");
  study
      .def_readonly("stack", &PhantomStudy::stack,
                    "SliceStack: HU are integers in [-1024, 3071], or the padding value.")
      .def_readonly("truth", &PhantomStudy::truth, "SliceLabels, of `hemorrhage_label_names`.")
      .def_readonly("placed", &PhantomStudy::placed, "PaintedHemorrhage of each.")
      .def_readonly("anatomy", &PhantomStudy::anatomy, "HeadAnatomy, as `paint` takes it.")
      .def("__repr__", [](const PhantomStudy& s) {
        return "<ichdet.PhantomStudy of " + std::to_string(s.stack.geometry.count()) + " slices, " +
               std::to_string(s.placed.size()) + " hemorrhages>";
      });
  pickled_as<SliceStack, SliceLabels, std::vector<PaintedHemorrhage>, HeadAnatomy>(
      study, [](const PhantomStudy& s) { return std::make_tuple(s.stack, s.truth, s.placed, s.anatomy); },
      [](SliceStack stack, SliceLabels truth, std::vector<PaintedHemorrhage> placed, HeadAnatomy anatomy) {
        return PhantomStudy{std::move(stack), std::move(truth), std::move(placed), std::move(anatomy)};
      });

  const PhantomOptions o;
  m.def(
      "phantom",
      [](std::uint64_t seed, std::vector<Hemorrhage> hemorrhages, std::int64_t rows, std::int64_t columns,
         double pixel_mm, std::int64_t slices, double thickness_mm, std::vector<double> offsets_mm,
         std::vector<double> thicknesses_mm, double tilt_degrees, double noise_hu, double blur_mm,
         std::optional<float> padding_hu, bool table, double atrophy, bool mass_effect, int subsamples, int threads,
         const ProgressArgument& progress) {
        const PhantomOptions options{seed,
                                     rows,
                                     columns,
                                     pixel_mm,
                                     slices,
                                     thickness_mm,
                                     std::move(offsets_mm),
                                     std::move(thicknesses_mm),
                                     tilt_degrees,
                                     noise_hu,
                                     blur_mm,
                                     padding_hu,
                                     table,
                                     atrophy,
                                     mass_effect,
                                     subsamples,
                                     std::move(hemorrhages),
                                     threads};
        return watched(progress, [&](const Progress& told) { return make_phantom(options, told); });
      },
      py::arg("seed") = o.seed, py::arg("hemorrhages") = o.hemorrhages, py::kw_only(), py::arg("rows") = o.rows,
      py::arg("columns") = o.columns, py::arg("pixel_mm") = o.pixel_mm, py::arg("slices") = o.slices,
      py::arg("thickness_mm") = o.thickness_mm, py::arg("offsets_mm") = o.offsets_mm,
      py::arg("thicknesses_mm") = o.thicknesses_mm, py::arg("tilt_degrees") = o.tilt_degrees,
      py::arg("noise_hu") = o.noise_hu, py::arg("blur_mm") = o.blur_mm, py::arg("padding_hu") = o.padding_hu,
      py::arg("table") = o.table, py::arg("atrophy") = o.atrophy, py::arg("mass_effect") = o.mass_effect,
      py::arg("subsamples") = o.subsamples, py::arg("threads") = o.threads, py::arg("progress") = py::none(),
      R"(Make a synthetic head CT, with the truth beside it.

Skin, skull, sinuses, orbits, grey and white matter, ventricles, cisterns, sulci, falx, venous sinuses, head holder;
averaged through each slice, blurred by a kernel, with correlated noise.

Parameters
----------
seed : int
    Of the head's shape, its pose and the noise; the same arguments give the same bytes.
hemorrhages : list of Hemorrhage
rows, columns : int
pixel_mm : float
slices : int
thickness_mm : float
    Of each slice, and their distance.
offsets_mm : list of float
    Explicit positions along the normal, increasing, for variable gaps; empty: `slices` at `thickness_mm`.
thicknesses_mm : list of float
    With `offsets_mm`, one for each; empty: all `thickness_mm`.
tilt_degrees : float
    Of the gantry.
noise_hu : float
    Standard deviation in brain.
blur_mm : float
    Full width at half maximum of the kernel.
padding_hu : float, optional
    Value outside the circular field of view, marked as padding; None: air.
table : bool
    Head holder and table.
atrophy : float
    0 (young) to 1 (wide sulci and ventricles); negative: drawn from the seed.
mass_effect : bool
    Intraparenchymal and extra-axial blood pushes the brain aside.
subsamples : int
    Planes averaged through each slice.
threads : int
    0: as many as the machine has; the result does not depend on it.
progress : None, True or function of (stage, fraction)

Returns
-------
PhantomStudy

Raises
------
OptionsError
    A setting makes no sense, or a hemorrhage does not fit.

Examples
--------
>>> blood = ichdet.Hemorrhage("sdh", volume_ml=40, side="right")
>>> study = ichdet.phantom(seed=1, hemorrhages=[blood], rows=64, columns=64, pixel_mm=3.6, slices=12, thickness_mm=13)
>>> study
<ichdet.PhantomStudy of 12 slices, 1 hemorrhages>
>>> ichdet.volumes_ml(study.truth)["subdural"] > 38
True
)");
}

}  // namespace

void bind_phantom(py::module_& m) {
  bind_hemorrhage(m);
  bind_anatomy(m);
  bind_paint(m);
  bind_make(m);
}

}  // namespace ichdet::python
