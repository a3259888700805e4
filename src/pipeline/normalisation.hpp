#pragma once

#include "ichdet/bundle/spec.hpp"

namespace ichdet::pipeline {

/// Of a volume's channel: HU to what the network reads.
class Normalisation {
 public:
  explicit Normalisation(const ChannelSpec& channel)
      : low_(float(channel.low_hu)),
        high_(float(channel.high_hu)),
        to_low_(float(channel.to_low)),
        slope_((float(channel.to_high) - float(channel.to_low)) / (high_ - low_)),
        mean_(float(channel.mean)),
        std_(float(channel.std)) {}

  float operator()(float hu) const {
    const float held = hu > low_ ? (hu < high_ ? hu : high_) : low_;  // NaN becomes low
    return (to_low_ + (held - low_) * slope_ - mean_) / std_;
  }

 private:
  float low_, high_, to_low_, slope_, mean_, std_;
};

}  // namespace ichdet::pipeline
