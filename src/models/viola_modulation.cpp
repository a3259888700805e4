#include "viola_modulation.hpp"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define ICHDET_VECTOR_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ICHDET_VECTOR_CLONES
#endif

namespace ichdet::models {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr float smallest_norm = 1e-12F;

/// A map as (sample, x, y, z, channel), channels side by side.
at::Tensor channels_last(const at::Tensor& map) {
  const auto whole = map.dim() == 4 ? map.unsqueeze(-1) : map;
  return whole.permute({0, 2, 3, 4, 1}).contiguous();
}

at::Tensor channels_second(const at::Tensor& map, std::int64_t dimensions) {
  const auto whole = map.permute({0, 4, 1, 2, 3});
  return dimensions == 4 ? whole.squeeze(-1) : whole;
}

/// A profile as (sample, position, channel).
at::Tensor profile(const at::Tensor& values) { return values.to(at::kFloat).transpose(1, 2).contiguous(); }

/// One position's factors, each of `channels` values.
struct Place {
  const float *sx, *sy, *sz, *tx, *ty, *tz;
};

inline float factor(const Place& p, std::int64_t c) {
  const float xy = p.sx[c] * p.sy[c];
  return 0.1F * xy + 0.3F + 0.1F * p.sz[c] * (xy + p.sx[c] + p.sy[c]) + std::max(p.tx[c] + p.ty[c] + p.tz[c], 0.0F);
}

inline float to_float(float value) { return value; }
inline float to_float(c10::BFloat16 value) { return std::bit_cast<float>(std::uint32_t(value.x) << 16); }
inline void store(float& to, float value) { to = value; }
inline void store(c10::BFloat16& to, float value) {  // rounds to nearest, ties to even; not for NaN
  const auto bits = std::bit_cast<std::uint32_t>(value);
  to.x = std::uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

ICHDET_VECTOR_CLONES
double squares(const Place& p, std::int64_t channels) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t c = 0; c < channels; ++c) {
    const float v = factor(p, c);
    sum += v * v;
  }
  return sum;
}

#define ICHDET_VIOLA_ROWS(T)                                                                                       \
  ICHDET_VECTOR_CLONES                                                                                             \
  void multiply(const Place& p, const T* x, float scale, T* out, std::int64_t channels) {                          \
    for (std::int64_t c = 0; c < channels; ++c) store(out[c], to_float(x[c]) * factor(p, c) * scale);              \
  }                                                                                                                \
  ICHDET_VECTOR_CLONES                                                                                             \
  double product(const Place& p, const T* x, const T* g, std::int64_t channels) {                                  \
    float sum = 0;                                                                                                 \
    _Pragma("omp simd reduction(+ : sum)") for (std::int64_t c = 0; c < channels; ++c) sum +=                      \
        to_float(x[c]) * to_float(g[c]) * factor(p, c);                                                            \
    return sum;                                                                                                    \
  }                                                                                                                \
  ICHDET_VECTOR_CLONES                                                                                             \
  void differentiate(const Place& p, const T* x, const T* g, float scale, float of_length, T* dx, float* const* d, \
                     std::int64_t channels) {                                                                      \
    float *const dsx = d[0], *const dsy = d[1], *const dsz = d[2], *const dtx = d[3], *const dty = d[4],           \
                 *const dtz = d[5];                                                                                \
    _Pragma("GCC ivdep") for (std::int64_t c = 0; c < channels; ++c) {                                             \
      const float v = factor(p, c), gradient = to_float(g[c]);                                                     \
      store(dx[c], gradient* v* scale);                                                                            \
      const float dv = gradient * to_float(x[c]) * scale + of_length * v;                                          \
      const float tenth = 0.1F * dv, sx = p.sx[c], sy = p.sy[c], sz = p.sz[c];                                     \
      dsx[c] += tenth * (sy + sz * (sy + 1));                                                                      \
      dsy[c] += tenth * (sx + sz * (sx + 1));                                                                      \
      dsz[c] += tenth * (sx * sy + sx + sy);                                                                       \
      const float dt = p.tx[c] + p.ty[c] + p.tz[c] > 0 ? dv : 0.0F;                                                \
      dtx[c] += dt;                                                                                                \
      dty[c] += dt;                                                                                                \
      dtz[c] += dt;                                                                                                \
    }                                                                                                              \
  }
ICHDET_VIOLA_ROWS(float)
ICHDET_VIOLA_ROWS(c10::BFloat16)
#undef ICHDET_VIOLA_ROWS

#define ICHDET_VIOLA_MEANS(T)                                                                          \
  ICHDET_VECTOR_CLONES                                                                                 \
  void add_row(const T* x, float* a, float* b, float* c, std::int64_t channels) {                      \
    _Pragma("GCC ivdep") for (std::int64_t i = 0; i < channels; ++i) {                                 \
      const float value = to_float(x[i]);                                                              \
      a[i] += value;                                                                                   \
      b[i] += value;                                                                                   \
      c[i] += value;                                                                                   \
    }                                                                                                  \
  }                                                                                                    \
  ICHDET_VECTOR_CLONES                                                                                 \
  void write_row(const float* a, const float* b, const float* c, T* dx, std::int64_t channels) {       \
    _Pragma("GCC ivdep") for (std::int64_t i = 0; i < channels; ++i) store(dx[i], a[i] + b[i] + c[i]); \
  }
ICHDET_VIOLA_MEANS(float)
ICHDET_VIOLA_MEANS(c10::BFloat16)
#undef ICHDET_VIOLA_MEANS

/// One sample's profiles and what is done at each of its positions.
class Sample {
 public:
  Sample(const std::array<at::Tensor, 6>& profiles, std::int64_t index) : channels_(profiles[0].size(2)) {
    for (std::size_t i = 0; i < 6; ++i) {
      base_[i] = profiles[i].const_data_ptr<float>() + index * profiles[i].size(1) * channels_;
      if (i < 3) size_[i] = profiles[i].size(1);
    }
  }

  /// use(place, position in the sample, indices along the three axes)
  template <class Use>
  void each(Use&& use) const {
    std::int64_t position = 0;
    for (std::int64_t i = 0; i < size_[0]; ++i) {
      for (std::int64_t j = 0; j < size_[1]; ++j) {
        for (std::int64_t k = 0; k < size_[2]; ++k, ++position) {
          const std::array<std::int64_t, 3> at{i * channels_, j * channels_, k * channels_};
          use(Place{base_[0] + at[0], base_[1] + at[1], base_[2] + at[2], base_[3] + at[0], base_[4] + at[1],
                    base_[5] + at[2]},
              position * channels_, at);
        }
      }
    }
  }

  float length() const {
    double sum = 0;
    each([&](const Place& p, std::int64_t, const auto&) { sum += squares(p, channels_); });
    return std::max(float(std::sqrt(sum)), smallest_norm);
  }
  std::int64_t channels() const { return channels_; }
  std::int64_t voxels() const { return size_[0] * size_[1] * size_[2] * channels_; }

 private:
  std::int64_t channels_;
  std::array<const float*, 6> base_{};
  std::array<std::int64_t, 3> size_{};
};

template <class T>
void forward_sample(const Sample& sample, const T* x, T* out) {
  const float scale = 1 + 1 / sample.length();
  sample.each(
      [&](const Place& p, std::int64_t at, const auto&) { multiply(p, x + at, scale, out + at, sample.channels()); });
}

template <class T>
void backward_sample(const Sample& sample, const T* x, const T* g, T* dx, const std::array<float*, 6>& d) {
  const auto channels = sample.channels();
  const float length = sample.length();
  double sum = 0;
  sample.each([&](const Place& p, std::int64_t at, const auto&) { sum += product(p, x + at, g + at, channels); });
  const auto of_length = length > smallest_norm ? float(-sum / (double(length) * length * length)) : 0.0F;
  sample.each([&](const Place& p, std::int64_t at, const std::array<std::int64_t, 3>& axes) {
    float* const into[6] = {d[0] + axes[0], d[1] + axes[1], d[2] + axes[2],
                            d[3] + axes[0], d[4] + axes[1], d[5] + axes[2]};
    differentiate(p, x + at, g + at, 1 + 1 / length, of_length, dx + at, into, channels);
  });
}

template <class Use>
void each_type(at::ScalarType type, Use&& use) {
  if (type == at::kBFloat16) {
    use(c10::BFloat16());
  } else {
    use(float());
  }
}

std::array<at::Tensor, 6> profiles_of(const variable_list& tensors, std::size_t first) {
  std::array<at::Tensor, 6> profiles;
  std::copy_n(tensors.begin() + std::ptrdiff_t(first), 6, profiles.begin());
  return profiles;
}

struct Modulation : torch::autograd::Function<Modulation> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& sx, const at::Tensor& sy,
                            const at::Tensor& sz, const at::Tensor& tx, const at::Tensor& ty, const at::Tensor& tz) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto type = x.scalar_type() == at::kBFloat16 ? at::kBFloat16 : at::kFloat;
    const auto map = channels_last(x.to(type));
    const std::array<at::Tensor, 6> all{profile(sx), profile(sy), profile(sz), profile(tx), profile(ty), profile(tz)};
    const auto out = at::empty_like(map);
    each_type(type, [&](auto kind) {
      using T = decltype(kind);
      at::parallel_for(0, map.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto n = begin; n < end; ++n) {
          const Sample sample(all, n);
          forward_sample(sample, map.const_data_ptr<T>() + n * sample.voxels(),
                         out.mutable_data_ptr<T>() + n * sample.voxels());
        }
      });
    });
    context->save_for_backward({map, all[0], all[1], all[2], all[3], all[4], all[5]});
    context->saved_data["dimensions"] = x.dim();
    return channels_second(out, x.dim());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto& map = saved[0];
    const auto all = profiles_of(saved, 1);
    const auto g = channels_last(gradients[0].to(map.scalar_type()));
    const auto dx = at::empty_like(map);
    std::array<at::Tensor, 6> d;
    for (std::size_t i = 0; i < 6; ++i) d[i] = at::zeros_like(all[i]);
    each_type(map.scalar_type(), [&](auto kind) {
      using T = decltype(kind);
      at::parallel_for(0, map.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto n = begin; n < end; ++n) {
          const Sample sample(all, n);
          std::array<float*, 6> into;
          for (std::size_t i = 0; i < 6; ++i) {
            into[i] = d[i].mutable_data_ptr<float>() + n * d[i].size(1) * d[i].size(2);
          }
          backward_sample(sample, map.const_data_ptr<T>() + n * sample.voxels(),
                          g.const_data_ptr<T>() + n * sample.voxels(), dx.mutable_data_ptr<T>() + n * sample.voxels(),
                          into);
        }
      });
    });
    variable_list result{channels_second(dx, context->saved_data["dimensions"].toInt())};
    for (const auto& one : d) result.push_back(one.transpose(1, 2));
    return result;
  }
};

/// use(position in the sample, indices along the three axes) for each voxel of a map (sample, x, y, z, channel)
template <class Use>
void each_voxel(const at::Tensor& map, Use&& use) {
  const auto channels = map.size(4);
  std::int64_t position = 0;
  for (std::int64_t i = 0; i < map.size(1); ++i) {
    for (std::int64_t j = 0; j < map.size(2); ++j) {
      for (std::int64_t k = 0; k < map.size(3); ++k, position += channels) {
        use(position, std::array<std::int64_t, 3>{i * channels, j * channels, k * channels});
      }
    }
  }
}

struct AxisMeans : torch::autograd::Function<AxisMeans> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto type = x.scalar_type() == at::kBFloat16 ? at::kBFloat16 : at::kFloat;
    const auto map = channels_last(x.to(type));
    variable_list sums;
    for (std::int64_t axis = 0; axis < 3; ++axis) {
      sums.push_back(at::zeros({map.size(0), map.size(axis + 1), map.size(4)}, at::kFloat));
    }
    each_type(type, [&](auto kind) {
      using T = decltype(kind);
      at::parallel_for(0, map.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto n = begin; n < end; ++n) {
          const auto* values = map.const_data_ptr<T>() + n * map.stride(0);
          std::array<float*, 3> into;
          for (std::size_t i = 0; i < 3; ++i) into[i] = sums[i].mutable_data_ptr<float>() + n * sums[i].stride(0);
          each_voxel(map, [&](std::int64_t at, const auto& axes) {
            add_row(values + at, into[0] + axes[0], into[1] + axes[1], into[2] + axes[2], map.size(4));
          });
        }
      });
    });
    const auto voxels = double(map.size(1) * map.size(2) * map.size(3));
    for (auto& sum : sums) sum = (sum * (double(sum.size(1)) / voxels)).transpose(1, 2);
    context->saved_data["sizes"] = map.sizes().vec();
    context->saved_data["dimensions"] = x.dim();
    context->saved_data["bfloat16"] = type == at::kBFloat16;
    return sums;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto sizes = context->saved_data["sizes"].toIntVector();
    const auto type = context->saved_data["bfloat16"].toBool() ? at::kBFloat16 : at::kFloat;
    const auto voxels = double(sizes[1] * sizes[2] * sizes[3]);
    std::array<at::Tensor, 3> g;
    for (std::size_t i = 0; i < 3; ++i) g[i] = profile(gradients[i] * (double(gradients[i].size(2)) / voxels));
    const auto dx = at::empty(sizes, type);
    each_type(type, [&](auto kind) {
      using T = decltype(kind);
      at::parallel_for(0, sizes[0], 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto n = begin; n < end; ++n) {
          auto* values = dx.mutable_data_ptr<T>() + n * dx.stride(0);
          std::array<const float*, 3> from;
          for (std::size_t i = 0; i < 3; ++i) from[i] = g[i].const_data_ptr<float>() + n * g[i].stride(0);
          each_voxel(dx, [&](std::int64_t at, const auto& axes) {
            write_row(from[0] + axes[0], from[1] + axes[1], from[2] + axes[2], values + at, sizes[4]);
          });
        }
      });
    });
    return {channels_second(dx, context->saved_data["dimensions"].toInt())};
  }
};

}  // namespace

std::array<at::Tensor, 3> axis_means(const at::Tensor& x) {
  const auto means = AxisMeans::apply(x);
  return {means[0], means[1], means[2]};
}

at::Tensor viola_modulation(const at::Tensor& x, const std::array<at::Tensor, 3>& s,
                            const std::array<at::Tensor, 3>& t) {
  return Modulation::apply(x, s[0], s[1], s[2], t[0], t[1], t[2]);
}

}  // namespace ichdet::models
