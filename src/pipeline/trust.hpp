#pragma once

#include "ichdet/bundle/spec.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/core/slice_stack.hpp"

namespace ichdet::pipeline {

struct MeasuredRange {
  float low, high;
};

/// The lowest and highest value that the scanner measured: padding left out, unless all is padding.
MeasuredRange measured_range(const SliceStack& stack);

/// What can be told without knowing the patient: whether the scan holds what the model's windows look at, and whether
/// the model learnt anything. Windows that end above 400 HU are for bone, whose brightest value differs from scan to
/// scan.
Trust trust_in(float brightest, const ModelSpec& model);

}  // namespace ichdet::pipeline
