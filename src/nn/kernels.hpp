#pragma once

#include <cstdint>
#include <vector>

// Kernels over channels-last memory (…, x, channel) that LibTorch has no fused form of.
namespace ichdet::nn {

// Not under the thread sanitizer, whose run time is not there yet when the loader asks which clone to take.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define ICHDET_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define ICHDET_SIMD
#endif

/// Batch norm in evaluation and PReLU: y = x * scale[c] + shift[c], times `slope` where negative.
struct AffinePrelu {
  std::vector<float> scale, shift;
  float slope = 1;

  /// Scale and shift repeated for `count` voxels of all channels, so that rows are computed without minding channels.
  AffinePrelu repeated(std::int64_t count) const;
};

/// out[i] = prelu(x[i] * scale[i] + shift[i]). `out` may be `x`.
void affine_prelu(const float* x, const float* scale, const float* shift, float slope, float* out, std::int64_t n);

/// What is done to a convolution's sums (pixel, channel): v = sum + bias[c] + shortcut; kept = v;
/// out = prelu(v * scale[c] + shift[c]). Without `shortcut` or `kept` (nullptr) that part is left out.
struct Finishing {
  std::int64_t pixels, channels;  ///< of sums
  const float *bias, *scale, *shift;
  float slope;
  std::int64_t step;  ///< floats from one pixel to the next, in shortcut, out and kept
};
void finish_pixels(const Finishing& how, const float* sums, const float* shortcut, float* out, float* kept);

/// x[i] += shortcut[i]
void add(float* x, const float* shortcut, std::int64_t n);

/// One output row of a 3 x 3 x 3 valid convolution of a single channel: out[x, c] = sum of weight[tap, c] *
/// rows[tap / 3][x + tap % 3], `rows` being the nine input rows in z, y order, weight having 32 channels (zeros fill
/// them up), of which `channels` are written.
void convolve_first(const float* const* rows, const float* weight, float* out, std::int64_t width,
                    std::int64_t channels);

}  // namespace ichdet::nn
