#pragma once

#include <ATen/autocast_mode.h>
#include <c10/core/Device.h>

#include "ichdet/train/loop.hpp"

namespace ichdet::train {

/// Multiplication in bfloat16 while it lives, where that can be trusted.
class Autocast {
 public:
  Autocast(bool on, const at::Device& device) : on_(on && multiplies_in_bfloat16(device)), type_(device.type()) {
    if (!on_) return;
    at::autocast::set_autocast_dtype(type_, at::kBFloat16);
    at::autocast::set_autocast_enabled(type_, true);
    at::autocast::increment_nesting();
  }
  ~Autocast() {
    if (!on_) return;
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(type_, false);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool on_;
  at::DeviceType type_;
};

/// Channels side by side, as LibTorch's convolutions of images like them: twice as fast in training.
inline at::Tensor channels_last(const at::Tensor& tensor) {
  return tensor.dim() == 4 ? tensor.contiguous(at::MemoryFormat::ChannelsLast) : tensor;
}

}  // namespace ichdet::train
