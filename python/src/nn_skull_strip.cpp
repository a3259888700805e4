#include <pybind11/stl/filesystem.h>

#include "convert.hpp"
#include "ichdet/pipeline/import.hpp"
#include "ichdet/pipeline/skull_strip.hpp"
#include "watched.hpp"

namespace ichdet::python {

void bind_skull_strip(py::module_& m) {
  py::class_<BrainMask>(m, "BrainMask", "Where the brain is, and how that was found.")
      .def_property_readonly(
          "mask", [](const BrainMask& found) { return lend(found.mask); }, "(z, y, x), uint8, on the volume's grid.")
      .def_readonly("engine", &BrainMask::engine)
      .def_readonly("assumptions", &BrainMask::assumptions);

  m.def(
      "skull_strip",
      [](const Volume& volume, const std::string& engine, const std::optional<std::filesystem::path>& bundle,
         int threads, const ProgressArgument& progress) {
        SkullStripOptions options;
        options.engine = parse_strip_engine(engine);
        options.threads = threads;
        return watched(progress, [&](const Progress& tell) {
          if (bundle) options.bundle = open_bundle(*bundle);
          return skull_strip(volume, options, tell);
        });
      },
      py::arg("volume"), py::kw_only(), py::arg("engine") = "classical", py::arg("bundle") = py::none(),
      py::arg("threads") = 0, py::arg("progress") = py::none(),
      R"(The brain on a head CT, as a BrainMask.

Parameters
----------
volume : ichdet.Volume, of any direction and spacing
engine : 'classical' (thresholds and morphology), 'mindgrab', or 'unet3d' (a segmentation bundle with a class "brain")
bundle : path of the engine's bundle; 'unet3d' has one that came with ichdet
threads : int, 0 for as many as the machine has)");
}

}  // namespace ichdet::python
