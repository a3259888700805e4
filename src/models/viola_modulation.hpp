#pragma once

#include <ATen/core/Tensor.h>

#include <array>

namespace ichdet::models {

/// x (N, C, space of two or three axes) times v + v / |v|, where
///
///     v = 0.1 (J + M) + 0.3 + relu(t0 + t1 + t2),  J + M of s0, s1, s2 as in ViolaAttention,
///
/// and `s`, `t` are profiles (N, C, length) of the axes; of two axes of space the third's length is 1. Differentiable
/// in all arguments, in three passes over the map and with nothing as large as it kept but `x`: autograd of the formula
/// itself keeps a dozen.
at::Tensor viola_modulation(const at::Tensor& x, const std::array<at::Tensor, 3>& s,
                            const std::array<at::Tensor, 3>& t);

/// The means of x (N, C, space of two or three axes) over all axes of space but one: profiles as above. Differentiable in
/// one pass over the map each way.
std::array<at::Tensor, 3> axis_means(const at::Tensor& x);

}  // namespace ichdet::models
