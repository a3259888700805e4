#include "ichdet/attribution/reduction.hpp"

#include <ATen/ops/amax.h>

#include "images.hpp"
#include "names.hpp"

namespace ichdet::attribution {
namespace {

constexpr Names<Reduction, 4> names{{{Reduction::sum_abs, "sum-abs"},
                                     {Reduction::max, "max"},
                                     {Reduction::sum, "sum"},
                                     {Reduction::max_abs, "max-abs"}}};

}  // namespace

Reduction parse_reduction(const std::string& text) { return parse(names, "reduction", text); }
std::string to_string(Reduction reduction) { return name_of(names, reduction); }

at::Tensor to_map(const at::Tensor& attributions, Reduction reduction) {
  auto values = images(attributions);
  if (reduction == Reduction::sum_abs || reduction == Reduction::max_abs) values = values.abs();
  return reduction == Reduction::sum || reduction == Reduction::sum_abs ? values.sum(1) : values.amax(1);
}

}  // namespace ichdet::attribution
