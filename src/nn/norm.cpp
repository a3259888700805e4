#include "norm.hpp"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels.hpp"
#include "layout.hpp"

namespace ichdet::nn {
namespace {

constexpr std::int64_t wide_row = 512, piece = 32768;  // elements: some rows at once, and what one task does

/// sum[i] += x[i] - origin[i] and square[i] += its square, over `rows` rows of n.
ICHDET_SIMD void add_moments(const float* __restrict x, const float* __restrict origin, float* __restrict sum,
                             float* __restrict square, std::int64_t rows, std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row, x += n) {
    for (std::int64_t i = 0; i < n; ++i) {
      const float value = x[i] - origin[i];
      sum[i] += value;
      square[i] += value * value;
    }
  }
}

ICHDET_SIMD void affine(const float* x, const float* __restrict scale, const float* __restrict shift, float slope,
                        float* out, std::int64_t rows, std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row, x += n, out += n) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
      const float value = x[i] * scale[i] + shift[i];
      out[i] = value > 0 ? value : slope * value;
    }
  }
}

/// A sample's memory as rows of whole voxels.
struct Rows {
  std::int64_t samples, voxels, channels;
  std::int64_t together = std::max<std::int64_t>(1, wide_row / channels);                   ///< voxels in a row
  std::int64_t task = std::max<std::int64_t>(1, piece / (together * channels)) * together;  ///< voxels in a piece
  std::int64_t tasks = (voxels + task - 1) / task;

  explicit Rows(const at::Tensor& x)
      : samples(x.size(0)),
        voxels(x.size(1) == 0 || samples == 0 ? 0 : x.numel() / samples / x.size(1)),
        channels(x.size(1)) {}

  std::int64_t offset(std::int64_t sample, std::int64_t voxel) const { return (sample * voxels + voxel) * channels; }
};

/// Calls body(floats, rows, row length) for `count` voxels of `x`, as many rows as fit and then what is left.
template <class Body>
void in_rows(const Rows& r, std::int64_t count, Body&& body) {
  const auto whole = count / r.together;
  if (whole > 0) body(0, whole, r.together * r.channels);
  if (count % r.together > 0) body(whole * r.together * r.channels, 1, count % r.together * r.channels);
}

const float* read(const float* x, std::int64_t, std::vector<float>&) { return x; }
const float* read(const at::BFloat16* x, std::int64_t n, std::vector<float>& scratch) {
  scratch.resize(std::size_t(n));
  widen(x, scratch.data(), n);
  return scratch.data();
}

/// `count` copies in a row.
std::vector<float> repeated(const float* values, std::int64_t n, std::int64_t count) {
  std::vector<float> all;
  all.reserve(std::size_t(n * count));
  for (std::int64_t i = 0; i < count; ++i) all.insert(all.end(), values, values + n);
  return all;
}

template <class T>
void apply_affine(const Rows& r, const T* x, const float* scale, const float* shift, float slope, T* out) {
  for (std::int64_t sample = 0; sample < r.samples; ++sample) {
    const auto wide_scale = repeated(scale, r.channels, r.together),
               wide_shift = repeated(shift, r.channels, r.together);
    at::parallel_for(0, r.tasks, 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> scratch;
      for (auto task = begin; task < end; ++task) {
        const auto first = task * r.task, count = std::min(r.task, r.voxels - first);
        const auto at = r.offset(sample, first);
        const float* values = read(x + at, count * r.channels, scratch);
        in_rows(r, count, [&](std::int64_t from, std::int64_t rows, std::int64_t n) {
          if constexpr (std::is_same_v<T, float>) {
            affine(values + from, wide_scale.data(), wide_shift.data(), slope, out + at + from, rows, n);
          } else {
            affine(values + from, wide_scale.data(), wide_shift.data(), slope, scratch.data() + from, rows, n);
          }
        });
        if constexpr (!std::is_same_v<T, float>) {
          narrow(scratch.data(), out + at, count * r.channels);
        }
      }
    });
  }
}

/// Mean and variance of each channel of one sample.
template <class T>
void moments(const Rows& r, const T* x, double* mean, double* variance) {
  const auto channels = std::size_t(r.channels);
  std::vector<float> origin(channels);  // near the mean, so that the squares' sum cancels little
  for (std::int64_t i = 0; i < 8; ++i) {
    const T* voxel = x + i * r.voxels / 8 * r.channels;
    for (std::size_t c = 0; c < channels; ++c) origin[c] += float(voxel[c]) / 8;
  }
  const auto wide_origin = repeated(origin.data(), r.channels, r.together);
  std::vector<double> sums(std::size_t(r.tasks) * channels * 2);
  at::parallel_for(0, r.tasks, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scratch, sum, square;
    for (auto task = begin; task < end; ++task) {
      const auto first = task * r.task, count = std::min(r.task, r.voxels - first);
      const float* values = read(x + first * r.channels, count * r.channels, scratch);
      sum.assign(wide_origin.size(), 0);
      square.assign(wide_origin.size(), 0);
      in_rows(r, count, [&](std::int64_t from, std::int64_t rows, std::int64_t n) {
        add_moments(values + from, wide_origin.data(), sum.data(), square.data(), rows, n);
      });
      double* total = sums.data() + std::size_t(task) * channels * 2;
      for (std::size_t i = 0; i < sum.size(); ++i) {
        total[i % channels] += sum[i];
        total[channels + i % channels] += square[i];
      }
    }
  });
  const auto n = double(r.voxels);
  for (std::size_t c = 0; c < channels; ++c) {
    double sum = 0, square = 0;
    for (std::size_t task = 0; task < std::size_t(r.tasks); ++task) {
      sum += sums[task * channels * 2 + c];
      square += sums[task * channels * 2 + channels + c];
    }
    mean[c] = origin[c] + sum / n;
    variance[c] = std::max(0.0, square / n - sum / n * (sum / n));
  }
}

template <class T>
void normalise(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double epsilon, float slope,
               at::Tensor& out) {
  const Rows all(x);
  const auto channels = std::size_t(all.channels);
  Rows one = all;
  one.samples = 1;
  std::vector<double> mean(channels), variance(channels);
  std::vector<float> scale(channels), shift(channels);
  for (std::int64_t sample = 0; sample < all.samples; ++sample) {
    const T* values = x.const_data_ptr<T>() + all.offset(sample, 0);
    moments(one, values, mean.data(), variance.data());
    for (std::size_t c = 0; c < channels; ++c) {
      const double gain = (weight.defined() ? weight.const_data_ptr<float>()[c] : 1) / std::sqrt(variance[c] + epsilon);
      scale[c] = float(gain);
      shift[c] = float((bias.defined() ? bias.const_data_ptr<float>()[c] : 0) - mean[c] * gain);
    }
    apply_affine(one, values, scale.data(), shift.data(), slope, out.mutable_data_ptr<T>() + all.offset(sample, 0));
  }
}

}  // namespace

at::Tensor instance_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double epsilon,
                         float slope, bool overwrite) {
  auto out = overwrite ? x : at::empty_like(x);
  if (x.scalar_type() == at::kFloat) {
    normalise<float>(x, weight, bias, epsilon, slope, out);
  } else {
    normalise<at::BFloat16>(x, weight, bias, epsilon, slope, out);
  }
  return out;
}

at::Tensor scale_shift(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, float slope,
                       bool overwrite) {
  auto out = overwrite ? x : at::empty_like(x);
  const Rows rows(x);
  const auto *gain = scale.const_data_ptr<float>(), *offset = shift.const_data_ptr<float>();
  if (x.scalar_type() == at::kFloat) {
    apply_affine(rows, x.const_data_ptr<float>(), gain, offset, slope, out.mutable_data_ptr<float>());
  } else {
    apply_affine(rows, x.const_data_ptr<at::BFloat16>(), gain, offset, slope, out.mutable_data_ptr<at::BFloat16>());
  }
  return out;
}

}  // namespace ichdet::nn
