#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "ichdet/bundle/spec.hpp"

namespace ichdet::pipeline {

/// An image's channel: the window of contiguous HU (rows, columns), to 8 bits where it has levels, or a mixture of
/// windows, normalised, into `out`.
void write_channel(const at::Tensor& hu, const ChannelSpec& channel, const std::optional<Rounding>& levels, float* out);

}  // namespace ichdet::pipeline
