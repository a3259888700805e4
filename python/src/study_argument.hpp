#pragma once

#include <pybind11/typing.h>

#include "ichdet/io/study.hpp"

namespace ichdet::python {

/// A study as it was read, or a stack of one's own.
using StudyArgument = pybind11::typing::Union<io::Study, SliceStack>;

inline io::Study study_of(const StudyArgument& given) {
  if (pybind11::isinstance<io::Study>(given)) return given.cast<io::Study>();
  if (pybind11::isinstance<SliceStack>(given)) return {given.cast<SliceStack>(), {}};
  throw pybind11::type_error("study: expected an ichdet.Study or an ichdet.SliceStack");
}

}  // namespace ichdet::python
