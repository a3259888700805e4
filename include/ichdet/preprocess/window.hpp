#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/config.hpp"

namespace ichdet {

/// The range of Hounsfield units that a picture spreads over its grey values.
struct Window {
  double low_hu = 0;    ///< shown as black
  double high_hu = 80;  ///< shown as white

  /// centre - width / 2 to centre + width / 2, the notation of scanners ("W80 L40").
  static constexpr Window centre_width(double centre_hu, double width_hu) {
    return {centre_hu - width_hu / 2, centre_hu + width_hu / 2};
  }
  constexpr double centre_hu() const { return (low_hu + high_hu) / 2; }
  constexpr double width_hu() const { return high_hu - low_hu; }
};

/// A window that has a name of its own.
struct NamedWindow {
  std::string_view name;
  Window window;
};

/// brain W80 L40, subdural W200 L80, stroke W40 L40, bone W3000 L500, soft_tissue W380 L40, and `blast_ct`, -15 to
/// 100 HU. (methods.md: S3's channels, S4's public code, BLAST-CT v1.)
std::span<const NamedWindow> named_windows();
/// One of named_windows(), or "CENTRE,WIDTH" in HU. Throws Error(options), listing the names, for anything else.
Window parse_window(std::string_view text);

/// How a float gets into 8 bits.
enum class Rounding {
  truncate,  ///< towards 0, as NumPy's astype(uint8) in S1's PNG files
  nearest,   ///< half upwards
};

/// How several windows of one array lie in memory.
enum class ChannelOrder {
  channel_first,  ///< channel, z, y, x: what 3D networks read
  slice_first,    ///< z, channel, y, x: a batch of slices, what 2D networks read
};

struct WindowOptions {
  double low_value = 0;   ///< what low_hu and everything below it becomes; NaN becomes this too
  double high_value = 1;  ///< what high_hu and everything above it becomes
  ChannelOrder order = ChannelOrder::channel_first;  ///< of several windows
  int threads = 1;                                   ///< 0: as many as the machine has. Does not change any bit.
};

/// clip(hu, low, high), then (hu - low) / (high - low), then from [0, 1] to [low_value, high_value], each step rounded
/// to float32: equal to NumPy's float32 expression bit for bit. Shape as `hu`.
/// Throws Error(options) unless low_hu < high_hu, both finite.
Array3<float> window(const Array3<float>& hu, const Window& window, const WindowOptions& options = {});

/// The same for several windows in one pass over `hu`: (channel, z, y, x) or (z, channel, y, x).
Array4<float> window_channels(const Array3<float>& hu, std::span<const Window> windows,
                              const WindowOptions& options = {});

/// window_channels() into memory that the caller brings, of the shape that it would return. Throws Error(shape).
void window_channels_into(const Array3<float>& hu, std::span<const Window> windows, Array4<float>& out,
                          const WindowOptions& options = {});

/// The same to 0..255: (hu - low) / (high - low) * 255 in float32, then rounded. Of the options, low_value and
/// high_value are not used.
Array3<std::uint8_t> window_8bit(const Array3<float>& hu, const Window& window, Rounding rounding = Rounding::truncate,
                                 const WindowOptions& options = {});
Array4<std::uint8_t> window_channels_8bit(const Array3<float>& hu, std::span<const Window> windows,
                                          Rounding rounding = Rounding::truncate, const WindowOptions& options = {});

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/preprocess/window_inl.hpp"
#endif
