#pragma once

#include <algorithm>
#include <charconv>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/impl/preprocess/check_window.hpp"
#include "ichdet/preprocess/window.hpp"

namespace ichdet {

ICHDET_INLINE std::span<const NamedWindow> named_windows() {
  static constexpr NamedWindow windows[] = {
      {"brain", Window::centre_width(40, 80)},        {"subdural", Window::centre_width(80, 200)},
      {"stroke", Window::centre_width(40, 40)},       {"bone", Window::centre_width(500, 3000)},
      {"soft_tissue", Window::centre_width(40, 380)}, {"blast_ct", {-15, 100}},
  };
  return windows;
}

namespace detail {

/// Copies past the caches, which would else first read every line that is about to be overwritten.
ICHDET_INLINE void copy_past_caches(const void* from, std::int64_t bytes, void* to) {
  auto* source = static_cast<const std::uint8_t*>(from);
  auto* target = static_cast<std::uint8_t*>(to);
#ifdef __SSE2__
  const auto head = std::min(bytes, std::int64_t(-reinterpret_cast<std::uintptr_t>(target) & 15));
  std::copy_n(source, head, target);
  std::int64_t i = head;
  for (; i + 16 <= bytes; i += 16) {
    const auto block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + i));
    _mm_stream_si128(reinterpret_cast<__m128i*>(target + i), block);
  }
  std::copy_n(source + i, bytes - i, target + i);
#else
  std::copy_n(source, bytes, target);
#endif
}

/// Calls `convert(from, to, count, window)` for every window on pieces small enough to stay in the first-level cache,
/// so that `hu` is read from memory once.
template <class T, class Convert>
void for_each_window(const Array3<float>& hu, std::span<const Window> windows, ChannelOrder order, int threads, T* out,
                     const Convert& convert) {
  constexpr std::int64_t piece = 2048;
  constexpr std::int64_t cached_bytes = 1 << 23;
  const std::int64_t plane = hu.extent(1) * hu.extent(2);
  const std::int64_t planes = hu.extent(0);
  const auto channels = std::int64_t(windows.size());
  const std::int64_t channel_step = order == ChannelOrder::channel_first ? planes * plane : plane;
  const std::int64_t plane_step = order == ChannelOrder::channel_first ? plane : channels * plane;
  const bool large = planes * plane * channels * std::int64_t(sizeof(T)) > cached_bytes;
  parallel_for(planes, threads, [&](std::int64_t z) {
    T converted[piece];
    for (std::int64_t i = 0; i < plane; i += piece) {
      const auto count = std::min(piece, plane - i);
      for (std::int64_t c = 0; c < channels; ++c) {
        T* to = out + c * channel_step + z * plane_step + i;
        convert(hu.data() + z * plane + i, large ? converted : to, count, windows[std::size_t(c)]);
        if (large) copy_past_caches(converted, count * std::int64_t(sizeof(T)), to);
      }
    }
#ifdef __SSE2__
    if (large) _mm_sfence();
#endif
  });
}

template <class T>
void write_windows(const Array3<float>& hu, std::span<const Window> windows, const WindowOptions& options, T* out) {
  for (const auto& w : windows) check_window(w);
  const auto scale = float(options.high_value - options.low_value);
  const auto shift = float(options.low_value);
  for_each_window(hu, windows, options.order, options.threads, out,
                  [&](const float* from, float* to, std::int64_t count, const Window& w) {
                    const auto low = float(w.low_hu);
                    const auto high = float(w.high_hu);
                    const auto width = float(w.high_hu - w.low_hu);
                    for (std::int64_t i = 0; i < count; ++i) {
                      const float clipped = std::min(high, std::max(low, from[i]));
                      to[i] = (clipped - low) / width * scale + shift;
                    }
                  });
}

ICHDET_INLINE void write_windows_8bit(const Array3<float>& hu, std::span<const Window> windows, Rounding rounding,
                                      const WindowOptions& options, std::uint8_t* out) {
  for (const auto& w : windows) check_window(w);
  for_each_window(hu, windows, options.order, options.threads, out,
                  [&](const float* from, std::uint8_t* to, std::int64_t count, const Window& w) {
                    const auto low = float(w.low_hu);
                    const auto high = float(w.high_hu);
                    const auto width = float(w.high_hu - w.low_hu);
                    const float half = rounding == Rounding::nearest ? 0.5F : 0.0F;
                    for (std::int64_t i = 0; i < count; ++i) {
                      const float clipped = std::min(high, std::max(low, from[i]));
                      to[i] = std::uint8_t(std::int32_t((clipped - low) / width * 255.0F + half));
                    }
                  });
}

ICHDET_INLINE Array4<float>::Shape channels_shape(const Array3<float>& hu, std::size_t windows, ChannelOrder order) {
  const auto channels = std::int64_t(windows);
  if (order == ChannelOrder::channel_first) return {channels, hu.extent(0), hu.extent(1), hu.extent(2)};
  return {hu.extent(0), channels, hu.extent(1), hu.extent(2)};
}

}  // namespace detail

ICHDET_INLINE Window parse_window(std::string_view text) {
  for (const auto& [name, window] : named_windows()) {
    if (name == text) return window;
  }
  const auto comma = text.find(',');
  if (comma != std::string_view::npos) {
    double numbers[2];
    const std::string_view parts[2] = {text.substr(0, comma), text.substr(comma + 1)};
    bool good = true;
    for (int i = 0; i < 2; ++i) {
      const auto* end = parts[i].data() + parts[i].size();
      const auto [stop, error] = std::from_chars(parts[i].data(), end, numbers[i]);
      good = good && error == std::errc() && stop == end;
    }
    if (good) {
      const auto window = Window::centre_width(numbers[0], numbers[1]);
      detail::check_window(window);
      return window;
    }
  }
  std::string names;
  for (const auto& known : named_windows()) names.append(known.name).append(", ");
  throw Error::mismatch(ErrorCode::options, "window", names + "or CENTRE,WIDTH in HU", std::string(text));
}

ICHDET_INLINE Array3<float> window(const Array3<float>& hu, const Window& window, const WindowOptions& options) {
  auto out = Array3<float>::uninitialized(hu.shape());
  detail::write_windows(hu, {&window, 1}, options, out.data());
  return out;
}

ICHDET_INLINE Array4<float> window_channels(const Array3<float>& hu, std::span<const Window> windows,
                                            const WindowOptions& options) {
  auto out = Array4<float>::uninitialized(detail::channels_shape(hu, windows.size(), options.order));
  detail::write_windows(hu, windows, options, out.data());
  return out;
}

ICHDET_INLINE void window_channels_into(const Array3<float>& hu, std::span<const Window> windows, Array4<float>& out,
                                        const WindowOptions& options) {
  const auto expected = detail::channels_shape(hu, windows.size(), options.order);
  if (out.shape() != expected) {
    const auto text = [](const Array4<float>::Shape& s) {
      return std::to_string(s[0]) + " x " + std::to_string(s[1]) + " x " + std::to_string(s[2]) + " x " +
             std::to_string(s[3]);
    };
    throw Error::mismatch(ErrorCode::shape, "window_channels_into, out", text(expected), text(out.shape()));
  }
  detail::write_windows(hu, windows, options, out.data());
}

ICHDET_INLINE Array3<std::uint8_t> window_8bit(const Array3<float>& hu, const Window& window, Rounding rounding,
                                               const WindowOptions& options) {
  auto out = Array3<std::uint8_t>::uninitialized(hu.shape());
  detail::write_windows_8bit(hu, {&window, 1}, rounding, options, out.data());
  return out;
}

ICHDET_INLINE Array4<std::uint8_t> window_channels_8bit(const Array3<float>& hu, std::span<const Window> windows,
                                                        Rounding rounding, const WindowOptions& options) {
  auto out = Array4<std::uint8_t>::uninitialized(detail::channels_shape(hu, windows.size(), options.order));
  detail::write_windows_8bit(hu, windows, rounding, options, out.data());
  return out;
}

}  // namespace ichdet
