#include "convert.hpp"
#include "ichdet/phantom/paint.hpp"
#include "ichdet/phantom/phantom.hpp"

namespace ichdet::python {

namespace {

Hemorrhage make_hemorrhage(const std::string& type, double volume_ml, const std::string& side,
                           const std::string& region, std::optional<Eigen::Vector3d> target_mm, double density_hu,
                           double texture_hu, double texture_mm, double soft_edge_mm, double oedema_mm) {
  return {
      hemorrhage_type(type), volume_ml, hemorrhage_side(side), region, target_mm, density_hu, texture_hu, texture_mm,
      soft_edge_mm,          oedema_mm};
}

}  // namespace

void bind_phantom(py::module_& m) {
  const Hemorrhage usual;
  py::class_<Hemorrhage>(m, "Hemorrhage",
                         "A hemorrhage as asked for: type (intraparenchymal, intraventricular, subdural, epidural, "
                         "subarachnoid), volume in mL, place, density and texture in HU.")
      .def(py::init(&make_hemorrhage), py::arg("type") = "intraparenchymal", py::arg("volume_ml") = usual.volume_ml,
           py::arg("side") = "any", py::arg("region") = "", py::arg("target_mm") = py::none(),
           py::arg("density_hu") = usual.density_hu, py::arg("texture_hu") = usual.texture_hu,
           py::arg("texture_mm") = usual.texture_mm, py::arg("soft_edge_mm") = usual.soft_edge_mm,
           py::arg("oedema_mm") = usual.oedema_mm)
      .def_property_readonly("type", [](const Hemorrhage& h) { return std::string(to_string(h.type)); })
      .def_property_readonly("side", [](const Hemorrhage& h) { return std::string(to_string(h.side)); })
      .def_readonly("volume_ml", &Hemorrhage::volume_ml)
      .def_readonly("region", &Hemorrhage::region)
      .def_readonly("density_hu", &Hemorrhage::density_hu);

  py::class_<PaintedHemorrhage>(m, "PaintedHemorrhage",
                                "A hemorrhage as painted: its volume in mL, centroid in LPS mm and slices.")
      .def_readonly("asked", &PaintedHemorrhage::asked)
      .def_readonly("volume_ml", &PaintedHemorrhage::volume_ml)
      .def_readonly("oedema_ml", &PaintedHemorrhage::oedema_ml)
      .def_readonly("centroid_mm", &PaintedHemorrhage::centroid_mm)
      .def_readonly("target_mm", &PaintedHemorrhage::target_mm)
      .def_readonly("slices", &PaintedHemorrhage::slices);

  py::class_<HeadAnatomy>(m, "HeadAnatomy", "What a painter must know of a head; arrays (slice, row, column).")
      .def_property_readonly(
          "depth_mm", [](const HeadAnatomy& a) { return lend(a.depth_mm); }, "Distance inwards from the inner table.")
      .def_property_readonly(
          "ventricle", [](const HeadAnatomy& a) { return lend(a.ventricle); }, "Part that is ventricular CSF.")
      .def_property_readonly(
          "csf", [](const HeadAnatomy& a) { return lend(a.csf); }, "Part that is CSF of sulci and cisterns.")
      .def_property_readonly(
          "midline_mm", [](const HeadAnatomy& a) { return lend(a.midline_mm); },
          "Distance from the midline, positive on the left.")
      .def_property_readonly("head_to_lps",
                             [](const HeadAnatomy& a) { return Eigen::Matrix4d(a.head_to_lps.matrix()); })
      .def_readonly("assumptions", &HeadAnatomy::assumptions);

  py::class_<PhantomStudy>(m, "PhantomStudy", "A synthetic head CT with the truth beside it.")
      .def_readonly("stack", &PhantomStudy::stack)
      .def_readonly("truth", &PhantomStudy::truth)
      .def_readonly("placed", &PhantomStudy::placed)
      .def_readonly("anatomy", &PhantomStudy::anatomy);

  const PhantomOptions o;
  m.def(
      "phantom",
      [](std::uint64_t seed, std::vector<Hemorrhage> hemorrhages, std::int64_t rows, std::int64_t columns,
         double pixel_mm, std::int64_t slices, double thickness_mm, std::vector<double> offsets_mm,
         std::vector<double> thicknesses_mm, double tilt_degrees, double noise_hu, double blur_mm,
         std::optional<float> padding_hu, bool table, double atrophy, bool mass_effect, int subsamples, int threads) {
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
        const py::gil_scoped_release release;
        return make_phantom(options);
      },
      R"(Makes a synthetic head CT.

Parameters
----------
seed : of the head's shape, its pose and the noise; the same arguments give the same bytes.
hemorrhages : list of Hemorrhage.
rows, columns, pixel_mm, slices, thickness_mm : the scan's grid.
offsets_mm, thicknesses_mm : explicit slice positions along the normal, for variable gaps.
tilt_degrees : of the gantry. noise_hu : standard deviation. blur_mm : full width at half maximum.
padding_hu : value outside the circular field of view, or None. atrophy : 0 to 1, negative draws it.

Returns
-------
PhantomStudy with stack (HU are integers), truth (labels), placed (what was painted) and anatomy.)",
      py::arg("seed") = o.seed, py::arg("hemorrhages") = std::vector<Hemorrhage>{}, py::arg("rows") = o.rows,
      py::arg("columns") = o.columns, py::arg("pixel_mm") = o.pixel_mm, py::arg("slices") = o.slices,
      py::arg("thickness_mm") = o.thickness_mm, py::arg("offsets_mm") = o.offsets_mm,
      py::arg("thicknesses_mm") = o.thicknesses_mm, py::arg("tilt_degrees") = o.tilt_degrees,
      py::arg("noise_hu") = o.noise_hu, py::arg("blur_mm") = o.blur_mm, py::arg("padding_hu") = py::none(),
      py::arg("table") = o.table, py::arg("atrophy") = o.atrophy, py::arg("mass_effect") = o.mass_effect,
      py::arg("subsamples") = o.subsamples, py::arg("threads") = 0);

  m.def(
      "anatomy_from_scan",
      [](const SliceStack& stack, double bone_hu, double csf_hu, double ventricle_depth_mm, int threads) {
        const py::gil_scoped_release release;
        return anatomy_from_scan(stack, {bone_hu, csf_hu, ventricle_depth_mm, threads});
      },
      "Derives a real scan's cavity, ventricles, CSF and midline from its HU.", py::arg("stack"),
      py::arg("bone_hu") = 300.0, py::arg("csf_hu") = AnatomyOptions{}.csf_hu,
      py::arg("ventricle_depth_mm") = AnatomyOptions{}.ventricle_depth_mm, py::arg("threads") = 0);

  m.def(
      "paint",
      [](const SliceStack& stack, const std::vector<Hemorrhage>& hemorrhages, const HeadAnatomy* anatomy,
         std::uint64_t seed, bool keep_noise, double oedema_drop_hu, int threads) {
        const py::gil_scoped_release release;
        SliceStack painted = stack;
        painted.hu = stack.hu.clone();
        const HeadAnatomy derived = anatomy != nullptr ? *anatomy : anatomy_from_scan(stack, {.threads = threads});
        PaintedLabels labels = paint(painted, derived, hemorrhages, {seed, keep_noise, oedema_drop_hu, threads});
        return std::make_tuple(std::move(painted), std::move(labels.truth), std::move(labels.placed));
      },
      "Paints hemorrhages into a copy of a scan. Returns (stack, truth, placed). Without `anatomy` it is derived by "
      "anatomy_from_scan.",
      py::arg("stack"), py::arg("hemorrhages"), py::arg("anatomy") = nullptr, py::arg("seed") = 0,
      py::arg("keep_noise") = true, py::arg("oedema_drop_hu") = PaintOptions{}.oedema_drop_hu, py::arg("threads") = 0);
}

}  // namespace ichdet::python
