#include <pybind11/numpy.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "ichdet/core/error.hpp"
#include "ichdet/train/curves.hpp"
#include "ichdet/train/event_file.hpp"
#include "ichdet/train/log.hpp"

namespace ichdet::python {

namespace py = pybind11;
using namespace train;

namespace {

using Path = std::filesystem::path;
using Pixels = py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>;

Image to_image(const Pixels& pixels) {
  if (pixels.ndim() != 2 && pixels.ndim() != 3) {
    throw Error::mismatch(ErrorCode::shape, "picture", "2 or 3 axes", std::to_string(pixels.ndim()));
  }
  Image image(pixels.shape(0), pixels.shape(1), pixels.ndim() == 3 ? pixels.shape(2) : 1);
  std::copy(pixels.data(), pixels.data() + pixels.size(), image.pixels.begin());
  return image;
}

}  // namespace

void bind_log(py::module_& m) {
  py::class_<LogRow>(m, "LogRow", R"(A figure at a step of a training.

Examples
--------
>>> ichdet.train.LogRow(20, 3.5, "train/loss", 0.25)
ichdet.train.LogRow(step=20, seconds=3.5, name='train/loss', value=0.25))")
      .def(py::init([](std::int64_t step, double seconds, const std::string& name, double value) {
             return LogRow{step, seconds, name, value};
           }),
           py::arg("step"), py::arg("seconds"), py::arg("name"), py::arg("value"))
      .def_readonly("step", &LogRow::step, "Of the training, from 1.")
      .def_readonly("seconds", &LogRow::seconds, "Of training until then, over all of its sittings.")
      .def_readonly("name", &LogRow::name, "\"train/loss\", \"select/dice\": where it was measured, and what.")
      .def_readonly("value", &LogRow::value, "May be NaN.")
      .def("__repr__", [](const LogRow& row) {
        return py::str("ichdet.train.LogRow(step={}, seconds={}, name={!r}, value={})")
            .format(row.step, row.seconds, row.name, row.value);
      });
  py::class_<TrainingLog>(m, "TrainingLog", R"(metrics.csv and TensorBoard's events in one folder, as `train` writes them.

Every row is on disk when the call returns, so that a killed training keeps its log.

Parameters
----------
folder : str or path
step : int
    Done so far; 0 begins a new log, else rows of later steps are dropped.

Raises
------
ichdet.Error
    io: metrics.csv is no log. options: a name that is empty or has a comma, a quote or a line end.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     log = ichdet.train.TrainingLog(folder)
...     log.add(1, "train/loss", 0.7)
...     log.add(2, "train/loss", 0.5)
...     [row.value for row in ichdet.train.read_log(f"{folder}/metrics.csv")]
[0.7, 0.5])")
      .def(py::init<const Path&, std::int64_t>(), py::arg("folder"), py::arg("step") = 0)
      .def("add", &TrainingLog::add, py::arg("step"), py::arg("name"), py::arg("value"), "A row.")
      .def(
          "add_picture",
          [](TrainingLog& log, std::int64_t step, const std::string& name, const Pixels& picture) {
            log.add_picture(step, name, to_image(picture));
          },
          py::arg("step"), py::arg("name"), py::arg("picture"),
          "To TensorBoard alone: (row, column) or (row, column, 3), uint8.")
      .def_property_readonly("rows", &TrainingLog::rows, "All so far.")
      .def_property_readonly("seconds", &TrainingLog::seconds, "Of training, in this sitting and those before.");
  m.def("read_log", &read_log, py::arg("metrics_csv"), R"(The rows of a training's metrics.csv.

Parameters
----------
metrics_csv : str or path
    A last line without its end is passed over.

Returns
-------
list of LogRow

Raises
------
ichdet.Error
    io: names file and line.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     ichdet.train.TrainingLog(folder).add(20, "train/loss", 0.5)
...     row = ichdet.train.read_log(f"{folder}/metrics.csv")[0]
>>> row.step, row.name, row.value
(20, 'train/loss', 0.5))");
  m.def(
      "draw_curves",
      [](const std::vector<LogRow>& rows) {
        const auto picture = draw_curves(rows);
        Pixels pixels({picture.rows, picture.columns, picture.channels});
        std::copy(picture.pixels.begin(), picture.pixels.end(), pixels.mutable_data());
        return pixels;
      },
      py::arg("rows"), R"(A training's course as one picture.

A diagram for each measure (what stands behind the last '/' of a name), in it a line for each place that it was measured
at, against steps. The axis is logarithmic where losses and learning rates span more than a factor of ten.

Parameters
----------
rows : list of LogRow

Returns
-------
numpy.ndarray, (row, column, 3), uint8

Examples
--------
>>> rows = [ichdet.train.LogRow(i, i, "train/loss", 1 / i) for i in range(1, 9)]
>>> ichdet.train.draw_curves(rows).shape[2]
3)");
  m.def("write_curves", &write_curves, py::arg("png"), py::arg("rows"), R"(The same picture as a PNG file.

Written beside and renamed, so that a viewer never sees half a file.

Parameters
----------
png : str or path
rows : list of LogRow

Raises
------
ichdet.Error
    io: the file cannot be written.

Examples
--------
>>> rows = [ichdet.train.LogRow(i, i, "train/loss", 1 / i) for i in range(1, 9)]
>>> with tempfile.TemporaryDirectory() as folder:
...     ichdet.train.write_curves(f"{folder}/curves.png", rows)
...     ichdet.read_png(f"{folder}/curves.png").shape == ichdet.train.draw_curves(rows).shape
True)");
  py::class_<EventFile>(m, "EventFile", R"(A file that TensorBoard shows: scalars and pictures by step.

Each event is on disk when the call returns.

Parameters
----------
folder : str or path
first_step : int
    Above 0, TensorBoard is told to forget what earlier files of the folder say of this step and later ones.

Raises
------
ichdet.Error
    io: the file cannot be written.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     events = ichdet.train.EventFile(folder)
...     events.scalar(1, "train/loss", 0.5)
...     events.path.name.startswith("events.out.tfevents")
True)")
      .def(py::init<const Path&, std::int64_t>(), py::arg("folder"), py::arg("first_step") = 0)
      .def("scalar", &EventFile::scalar, py::arg("step"), py::arg("name"), py::arg("value"), "A number.")
      .def(
          "picture",
          [](EventFile& file, std::int64_t step, const std::string& name, const Pixels& picture) {
            file.picture(step, name, to_image(picture));
          },
          py::arg("step"), py::arg("name"), py::arg("picture"), "(row, column) or (row, column, 3), uint8.")
      .def_property_readonly("path", &EventFile::path, "The file.");
}

}  // namespace ichdet::python
