#include "ichdet/attribution/baseline.hpp"

#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/zeros_like.h>

#include "images.hpp"
#include "names.hpp"

namespace ichdet::attribution {
namespace {

constexpr Names<Baseline, 3> names{{{Baseline::zero, "zero"}, {Baseline::black, "black"}, {Baseline::white, "white"}}};

}  // namespace

Baseline parse_baseline(const std::string& text) { return parse(names, "baseline", text); }
std::string to_string(Baseline baseline) { return name_of(names, baseline); }

at::Tensor baseline_of(const at::Tensor& input, Baseline baseline) {
  const auto x = images(input);
  if (baseline == Baseline::zero) return at::zeros_like(x);
  const auto flat = x.flatten(1);
  const auto value = baseline == Baseline::black ? flat.amin(1) : flat.amax(1);
  return for_each_image(value, x).expand_as(x).contiguous();
}

}  // namespace ichdet::attribution
