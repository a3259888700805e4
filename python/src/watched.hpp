#pragma once

#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/typing.h>

#include <chrono>
#include <exception>
#include <future>
#include <optional>
#include <stop_token>
#include <string_view>
#include <utility>

#include "ichdet/core/progress.hpp"

namespace ichdet::python {

namespace py = pybind11;

/// `progress=` of long calls: None, True for a bar of tqdm, or a function of a stage's name and the fraction done.
using ProgressArgument =
    py::typing::Optional<py::typing::Union<bool, py::typing::Callable<py::object(py::str, py::float_)>>>;

/// What such an argument asks for. Made, called and destroyed under the interpreter's lock.
class Reporter {
 public:
  explicit Reporter(const py::object& given) {
    if (given.is_none() || given.is(py::bool_(false))) return;
    if (given.is(py::bool_(true))) {
      bar_ = py::module_::import("ichdet._progress").attr("Bar")();
    } else if (PyCallable_Check(given.ptr()) == 0) {
      throw py::type_error("progress: expected None, True or a function of a stage's name and the fraction done");
    }
    function_ = bar_ ? bar_ : given;
  }
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;
  ~Reporter() {
    if (!bar_) return;
    try {
      bar_.attr("close")();
    } catch (py::error_already_set& e) {
      e.discard_as_unraisable("ichdet: closing a progress bar");
    }
  }

  explicit operator bool() const { return bool(function_); }
  void operator()(std::string_view stage, double fraction) const { function_(stage, fraction); }

 private:
  py::object bar_, function_;
};

/// Runs a long call without the interpreter's lock, on a thread of its own, so that Ctrl-C is noticed at any time: the
/// call is asked to stop, and KeyboardInterrupt is raised once it has. What the function in `progress` raises stops the
/// call too, and is raised then. `body` takes a Progress.
template <class Body>
auto watched(const py::object& progress, Body&& body) {
  const Reporter report(progress);
  std::stop_source source;
  std::exception_ptr raised;  // touched under the interpreter's lock alone
  Progress told;
  told.stop = source.get_token();
  if (report) {
    told.report = [&](std::string_view stage, double fraction) {
      const py::gil_scoped_acquire locked;
      if (raised) return;
      try {
        report(stage, fraction);
      } catch (const py::error_already_set&) {
        raised = std::current_exception();
        source.request_stop();
      }
    };
  }
  auto result = std::async(std::launch::async, [&] {
    const StopScope scope(told.stop);
    return body(std::as_const(told));
  });
  for (bool done = false; !done;) {
    {
      const py::gil_scoped_release unlocked;
      done = result.wait_for(std::chrono::milliseconds(50)) == std::future_status::ready;
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
