#include "trust.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ichdet::pipeline {

MeasuredRange measured_range(const SliceStack& stack) {
  MeasuredRange range{std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};
  for (std::int64_t i = 0; i < stack.hu.size(); ++i) {
    if (!stack.padding.empty() && stack.padding.data()[i] != 0) continue;
    range.low = std::min(range.low, stack.hu.data()[i]);
    range.high = std::max(range.high, stack.hu.data()[i]);
  }
  if (range.low > range.high) return {stack.hu.data()[0], stack.hu.data()[0]};
  return range;
}

Trust trust_in(float brightest, const ModelSpec& model) {
  Trust trust;
  if (model.untrained) {
    trust.reasons.push_back("UNTRAINED: the weights of " + model.name +
                            " are random numbers, its answers mean nothing");
  }
  double highest = 0;
  for (const auto& channel : model.channels) {
    if (channel.high_hu <= 400) highest = std::max(highest, channel.high_hu);
  }
  if (brightest < highest) {
    trust.reasons.push_back("no value of the scan is above " + std::to_string(std::lround(brightest)) + " HU, but " +
                            model.name + " tells bone from blood by values up to " +
                            std::to_string(std::lround(highest)) + " HU: was the scan clipped?");
  }
  trust.ok = trust.reasons.empty();
  return trust;
}

}  // namespace ichdet::pipeline
