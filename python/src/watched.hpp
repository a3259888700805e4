#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <exception>
#include <future>
#include <stop_token>
#include <string_view>
#include <utility>

#include "ichdet/core/progress.hpp"

namespace ichdet::python {

namespace py = pybind11;

/// Runs a long call without the interpreter's lock, on a thread of its own, so that Ctrl-C is noticed at any time: the
/// call is asked to stop, and KeyboardInterrupt is raised once it has. `report`: None, or called with stage and
/// fraction done; what it raises stops the call too, and is raised then. `body` takes a Progress.
template <class Body>
auto watched(const py::object& report, Body&& body) {
  std::stop_source source;
  std::exception_ptr raised;  // touched under the interpreter's lock alone
  Progress progress;
  progress.stop = source.get_token();
  if (!report.is_none()) {
    progress.report = [&](std::string_view stage, double fraction) {
      const py::gil_scoped_acquire locked;
      if (raised) return;
      try {
        report(py::str(stage.data(), stage.size()), fraction);
      } catch (const py::error_already_set&) {
        raised = std::current_exception();
        source.request_stop();
      }
    };
  }
  auto result = std::async(std::launch::async, [&] { return body(std::as_const(progress)); });
  for (bool done = false; !done;) {
    {
      const py::gil_scoped_release unlocked;
      done = result.wait_for(std::chrono::milliseconds(100)) == std::future_status::ready;
    }
    if (PyErr_CheckSignals() == 0 || raised) continue;
    raised = std::make_exception_ptr(py::error_already_set());
    source.request_stop();
  }
  try {
    auto value = result.get();
    if (!raised) return value;
  } catch (const std::exception&) {
    if (!raised) throw;
  }
  std::rethrow_exception(raised);
}

}  // namespace ichdet::python
