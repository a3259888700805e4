#pragma once

#include <string>

#include "commands.hpp"
#include "ichdet/evaluate/cohort.hpp"

namespace ichdet::cli {

struct StackArguments {
  std::string predictions, truth, ensemble, out;
  double fade_below = 0.5;
  evaluate::CohortOptions cohort;  ///< its models are not used
};

/// `ichdet calibrate --stack`: fits the slice rule of an ensemble, and says how well it tells slices of other patients.
void stack_slices(const StackArguments& arguments, const Context& context);

}  // namespace ichdet::cli
