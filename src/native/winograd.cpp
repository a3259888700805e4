#include "winograd.hpp"

#include <algorithm>
#include <array>

#include "scratch.hpp"

namespace ichdet::native {
namespace {

// The points beside 0 and infinity: 1 and -1 for m = 2, these for m = 4.
constexpr float a = 0.75f, b = 1.5f, aa = a * a, bb = b * b;

template <int m>
constexpr std::array<double, m + 1> points;
template <>
constexpr std::array<double, 3> points<2> = {0, 1, -1};
template <>
constexpr std::array<double, 5> points<4> = {0, a, -a, b, -b};

/// A line of a tile's inputs.
ICHDET_VECTOR void transform_inputs(const __m512 (&d)[4], __m512 (&t)[4]) {
  t[0] = _mm512_sub_ps(d[2], d[0]);
  t[1] = _mm512_add_ps(d[2], d[1]);
  t[2] = _mm512_sub_ps(d[2], d[1]);
  t[3] = _mm512_sub_ps(d[3], d[1]);
}
ICHDET_VECTOR void transform_inputs(const __m512 (&d)[6], __m512 (&t)[6]) {
  const __m512 a2 = _mm512_set1_ps(aa), b2 = _mm512_set1_ps(bb), both = _mm512_set1_ps(aa + bb);
  const __m512 product = _mm512_set1_ps(aa * bb), a1 = _mm512_set1_ps(a), b1 = _mm512_set1_ps(b);
  const __m512 even_a = _mm512_fnmadd_ps(b2, d[2], d[4]), odd_a = _mm512_fnmadd_ps(b2, d[1], d[3]);
  const __m512 even_b = _mm512_fnmadd_ps(a2, d[2], d[4]), odd_b = _mm512_fnmadd_ps(a2, d[1], d[3]);
  t[0] = _mm512_fmadd_ps(product, d[0], _mm512_fnmadd_ps(both, d[2], d[4]));
  t[1] = _mm512_fmadd_ps(a1, odd_a, even_a);
  t[2] = _mm512_fnmadd_ps(a1, odd_a, even_a);
  t[3] = _mm512_fmadd_ps(b1, odd_b, even_b);
  t[4] = _mm512_fnmadd_ps(b1, odd_b, even_b);
  t[5] = _mm512_fmadd_ps(product, d[1], _mm512_fnmadd_ps(both, d[3], d[5]));
}

/// A line of a tile's products, to outputs.
ICHDET_VECTOR void transform_outputs(const __m512 (&p)[4], __m512 (&y)[2]) {
  y[0] = _mm512_add_ps(p[0], _mm512_add_ps(p[1], p[2]));
  y[1] = _mm512_add_ps(_mm512_sub_ps(p[1], p[2]), p[3]);
}
ICHDET_VECTOR void transform_outputs(const __m512 (&p)[6], __m512 (&y)[4]) {
  const __m512 sum_a = _mm512_add_ps(p[1], p[2]), gap_a = _mm512_sub_ps(p[1], p[2]);
  const __m512 sum_b = _mm512_add_ps(p[3], p[4]), gap_b = _mm512_sub_ps(p[3], p[4]);
  y[0] = _mm512_add_ps(p[0], _mm512_add_ps(sum_a, sum_b));
  y[1] = _mm512_fmadd_ps(_mm512_set1_ps(a), gap_a, _mm512_mul_ps(_mm512_set1_ps(b), gap_b));
  y[2] = _mm512_fmadd_ps(_mm512_set1_ps(aa), sum_a, _mm512_mul_ps(_mm512_set1_ps(bb), sum_b));
  y[3] = _mm512_fmadd_ps(_mm512_set1_ps(aa * a), gap_a, _mm512_fmadd_ps(_mm512_set1_ps(bb * b), gap_b, p[5]));
}

/// Sixteen channels of a tile, the first pixel at y, x. What is outside of the map counts as zeros.
struct Window {
  const char* first;  ///< the tile's first pixel, wherever that is
  std::int64_t pixel_bytes, row_bytes;
  std::int64_t y, x, height, width;
  bool inside;  ///< all of it is in the map, or in its border
};

template <int m>
ICHDET_NATIVE void transform_tile(const Window& from, float* to, std::int64_t step) {
  constexpr int n = m + 2;
  __m512 columns[n][n];
#pragma GCC unroll 6
  for (int j = 0; j < n; ++j) {
    __m512 line[n];
#pragma GCC unroll 6
    for (int i = 0; i < n; ++i) {
      const char* at = from.first + i * from.row_bytes + j * from.pixel_bytes;
      if (from.inside || (std::uint64_t(from.y + i) < std::uint64_t(from.height) &&
                          std::uint64_t(from.x + j) < std::uint64_t(from.width))) {
        line[i] = _mm512_loadu_ps(at);
      } else {
        line[i] = _mm512_setzero_ps();
      }
    }
    transform_inputs(line, columns[j]);
  }
#pragma GCC unroll 6
  for (int i = 0; i < n; ++i) {
    __m512 line[n], values[n];
#pragma GCC unroll 6
    for (int j = 0; j < n; ++j) line[j] = columns[j][i];
    transform_inputs(line, values);
#pragma GCC unroll 6
    for (int j = 0; j < n; ++j) _mm512_store_ps(to + (i * n + j) * step, values[j]);
  }
}

/// Products of 16 outputs of a tile, `step` floats apart, to m rows of pixels, `pixel` floats apart.
template <int m>
ICHDET_NATIVE void transform_back(const float* from, std::int64_t step, float* to, std::int64_t row,
                                  std::int64_t pixel) {
  constexpr int n = m + 2;
  __m512 columns[n][m];
#pragma GCC unroll 6
  for (int j = 0; j < n; ++j) {
    __m512 line[n];
#pragma GCC unroll 6
    for (int i = 0; i < n; ++i) line[i] = _mm512_load_ps(from + (i * n + j) * step);
    transform_outputs(line, columns[j]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < m; ++i) {
    __m512 line[n], values[m];
#pragma GCC unroll 6
    for (int j = 0; j < n; ++j) line[j] = columns[j][i];
    transform_outputs(line, values);
#pragma GCC unroll 4
    for (int j = 0; j < m; ++j) _mm512_store_ps(to + i * row + j * pixel, values[j]);
  }
}

/// Of a line of three weights; what the points take, the products give back.
template <int m>
std::array<double, m + 2> transform_weights(const std::array<double, 3>& g) {
  std::array<double, m + 2> t{};
  for (std::size_t i = 0; i < points<m>.size(); ++i) {
    const double p = points<m>[i];
    double scale = 1;
    for (const double other : points<m>) {
      if (other != p) scale *= p - other;
    }
    t[i] = (g[0] + p * (g[1] + p * g[2])) / scale;
  }
  t[m + 1] = g[2];
  return t;
}

std::int64_t rounded_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

std::int64_t steps_of(std::int64_t places) { return (places + channels - 1) / channels; }

/// Of a tile's inputs (plane, place), where plane k of the kernel lies at place (k + turned) % planes.
std::vector<std::int64_t> offsets_of(std::int64_t planes, std::int64_t places, std::int64_t turned) {
  std::vector<std::int64_t> offsets;
  for (std::int64_t k = 0; k < planes; ++k) {
    const auto plane = (k + turned) % planes * places * std::int64_t(sizeof(float));
    for (const auto step : row_offsets(steps_of(places))) offsets.push_back(plane + step);
  }
  return offsets;
}

Triple tiles_of(const Triple& size, int m) { return {size[0], (size[1] + m - 1) / m, (size[2] + m - 1) / m}; }

/// Nanoseconds or so on one thread, of plain sums where m is 0: the products, the weights where they do not stay in the
/// cache, the transforms of 16 channels of a tile. Fitted by eye to an AMD EPYC (Zen 4).
double cost(const Layer& layer, int m) {
  constexpr double in_cache = 1 << 20, per_byte = 0.08, per_product = 0.3 / lanes;
  const auto inputs = double(layer.shape.kernel[0] * layer.in.places());
  const auto outputs = double(rounded_up(layer.outputs, lanes));
  const auto tiles = double(volume(tiles_of(layer.out.size, std::max(m, 1))));
  const double of_tile = m == 0 ? 9 : (m + 2) * (m + 2), transform = m == 0 ? 0 : m == 2 ? 30 : 90;
  const double weights = of_tile * inputs * outputs * sizeof(float);
  return tiles * of_tile * inputs * outputs * per_product + (weights > in_cache ? weights * per_byte : 0) +
         tiles * (inputs + outputs) / lanes * transform;
}

}  // namespace

/// What a thread works in.
struct Winograd::Room {
  std::unique_ptr<float[], Free> inputs, products, rows;
  std::int64_t input_step, product_step, row_step;  ///< floats from one of a tile's places, or row, to the next
  std::int64_t holds = -1;                          ///< the strip whose inputs are there, where outputs are split

  Room(int m, std::int64_t strip, std::int64_t places) {
    const auto n2 = (m + 2) * (m + 2);
    // A line more than needed, so that what is added up does not fall on the same sets of the cache.
    input_step = rounded_up(strip, lanes) * places + lanes;
    product_step = rounded_up(strip, lanes) * 2 * lanes + lanes;
    row_step = strip * m * 2 * lanes + lanes;
    inputs = scratch<float>(n2 * input_step);
    products = scratch<float>(n2 * product_step);
    rows = scratch<float>(m * row_step);
  }
};

int Winograd::suits(const Layer& layer) {
  const auto& [kernel, stride, padding, dilation] = layer.shape;
  const bool possible = layer.format == Format::float32 && kernel[1] == 3 && kernel[2] == 3 &&
                        stride == Triple{1, 1, 1} && dilation == Triple{1, 1, 1} && layer.up == Triple{1, 1, 1} &&
                        layer.in.per_pixel >= lanes && layer.out.per_pixel >= lanes && !layer.gate;
  if (!possible) return 0;
  int best = 0;
  for (const int m : {2, 4}) {
    if (cost(layer, m) < cost(layer, best)) best = m;
  }
  return best;
}

std::int64_t Winograd::most_parts(const Triple& size) { return (volume(tiles_of(size, 2)) + 7) / 8; }

Weights Winograd::transformed(const Layer& layer, int m) {
  const auto groups = (layer.outputs + lanes - 1) / lanes, planes = layer.shape.kernel[0];
  const auto steps = steps_of(layer.in.places());  // of a plane
  Weights weights((m + 2) * (m + 2) * groups * lanes, planes * steps, Format::float32);
  const auto set = [&]<int size>(std::integral_constant<int, size>) {
    constexpr std::size_t n = size + 2;
    const auto channel_count = std::int64_t(layer.channel_of.size());
    for (std::int64_t group = 0; group < groups; ++group) {
      for (std::int64_t i = 0; i < channel_count * planes; ++i) {
        const auto c = i / planes, plane = i % planes;
        float values[n * n][lanes] = {};
        for (std::int64_t o = 0; o < std::min(lanes, layer.outputs - group * lanes); ++o) {
          const float* w = layer.weight + (((group * lanes + o) * channel_count + c) * planes + plane) * 9;
          std::array<std::array<double, n>, 3> rows;
          for (std::size_t y = 0; y < 3; ++y) rows[y] = transform_weights<size>({w[3 * y], w[3 * y + 1], w[3 * y + 2]});
          for (std::size_t x = 0; x < n; ++x) {
            const auto column = transform_weights<size>({rows[0][x], rows[1][x], rows[2][x]});
            for (std::size_t y = 0; y < n; ++y) values[y * n + x][o] = float(column[y]);
          }
        }
        const auto input = layer.channel_of[std::size_t(c)];
        for (std::size_t place = 0; place < n * n; ++place) {
          weights.set_group(std::int64_t(place) * groups + group, plane * steps + input / channels, input % channels,
                            values[place]);
        }
      }
    }
  };
  m == 2 ? set(std::integral_constant<int, 2>()) : set(std::integral_constant<int, 4>());
  return weights;
}

Winograd::Winograd(const Layer& layer, int m, std::shared_ptr<const Weights> weights, TakeSums take)
    : m_(m),
      in_(layer.in),
      padding_(layer.shape.padding),
      planes_(layer.shape.kernel[0]),
      finish_{layer.out, {}, layer.activation, layer.addend, layer.slope},
      take_(std::move(take)),
      statistics_(layer.statistics),
      tiles_(tiles_of(layer.out.size, m)),
      inputs_(planes_ * layer.in.places()),
      groups_((layer.outputs + lanes - 1) / lanes),
      weights_(std::move(weights)) {
  for (std::int64_t turned = 0; turned < planes_; ++turned) {
    offsets_.push_back(offsets_of(planes_, layer.in.places(), turned));
  }
  finish_.bias.assign(std::size_t(groups_ * lanes), 0);
  if (layer.bias != nullptr) std::copy_n(layer.bias, layer.outputs, finish_.bias.begin());

  // Inputs of a strip stay in the cache; where the weights do not, they should be read few times.
  const auto tile_bytes = (m + 2) * (m + 2) * inputs_ * std::int64_t(sizeof(float));
  const std::int64_t room = weights_->bytes() > (2 << 20) ? 2 << 20 : 384 << 10;
  const auto longest = std::clamp<std::int64_t>(room / tile_bytes / 8 * 8, 16, 64);
  const auto cut = [&](std::int64_t tiles) {
    strips_ = (tiles + longest - 1) / longest;
    strip_tiles_ = (tiles + strips_ - 1) / strips_;
    strips_ = (tiles + strip_tiles_ - 1) / strip_tiles_;
  };
  const auto in_plane = tiles_[1] * tiles_[2];
  if (planes_ > 1 && in_plane >= 16 && tiles_[0] >= 4) {
    cut(in_plane);
    runs_ = (tiles_[0] + 11) / 12;
    run_ = (tiles_[0] + runs_ - 1) / runs_;
    runs_ = (tiles_[0] + run_ - 1) / run_;
    if (strips_ * runs_ >= 16) return;
    run_ = 0;
    runs_ = 1;
  }
  cut(volume(tiles_));
  splits_ = strips_ < 16 ? (groups_ + 1) / 2 : 1;
}

template <int m>
void Winograd::transform(const char* arena, const Strip& strip, std::int64_t from_plane, Room& room) const {
  const auto groups = in_.places() / lanes;
  const auto row_bytes = in_.pitch() * in_.pixel_bytes();
  for (auto tile = strip.first; tile < strip.last; ++tile) {
    const auto x = tile % tiles_[2] * m - padding_[2], y = tile / tiles_[2] % tiles_[1] * m - padding_[1];
    const auto z = strip.plane + tile / (tiles_[2] * tiles_[1]) - padding_[0];
    float* inputs = room.inputs.get() + (tile - strip.first) * inputs_;
    const bool inside = y >= -in_.border[1] && y + m + 2 <= in_.height() + in_.border[1] && x >= -in_.border[2] &&
                        x + m + 2 <= in_.width() + in_.border[2];
    for (auto k = from_plane; k < planes_; ++k) {
      const bool exists = z + k >= 0 && z + k < in_.depth();
      float* to = inputs + (strip.plane + k) % planes_ * in_.places();
      for (std::int64_t group = 0; group < groups; ++group, to += lanes) {
        const auto place = group * lanes;
        const char* from = arena + in_.blocks[std::size_t(place / in_.per_pixel)] + in_.within(place) +
                           in_.pixel(exists ? z + k : 0, y, x);
        transform_tile<m>(
            {from, in_.pixel_bytes(), row_bytes, y, x, exists ? in_.height() : 0, in_.width(), inside && exists}, to,
            room.input_step);
      }
    }
  }
}

template <int m>
void Winograd::multiply_pair(char* arena, const Strip& strip, std::int64_t group, Room& room, float* statistics) const {
  constexpr std::int64_t n2 = (m + 2) * (m + 2);
  const int groups = group + 1 < groups_ ? 2 : 1;
  const auto& offsets = offsets_[std::size_t(strip.plane % planes_)];
  for (std::int64_t place = 0; place < n2; ++place) {
    multiply_rows(*weights_, offsets, place * groups_ + group, groups, room.inputs.get() + place * room.input_step,
                  inputs_, strip.tiles(), room.products.get() + place * room.product_step);
  }
  for (auto tile = strip.first; tile < strip.last;) {  // those of a row together
    const auto in_row = tile % tiles_[2], row = tile / tiles_[2];
    const auto beside = std::min(strip.last - tile, tiles_[2] - in_row);
    for (std::int64_t i = 0; i < beside; ++i) {
      for (int g = 0; g < groups; ++g) {
        transform_back<m>(room.products.get() + ((tile - strip.first + i) * groups + g) * lanes, room.product_step,
                          room.rows.get() + (i * m * groups + g) * lanes, room.row_step, groups * lanes);
      }
    }
    const auto& size = finish_.out.size;
    Run run{strip.plane + row / tiles_[1], row % tiles_[1] * m, in_row * m, 1,
            std::min(beside * m, size[2] - in_row * m)};
    for (int i = 0; i < m && run.y < size[1]; ++i, ++run.y) {
      const float* sums = room.rows.get() + i * room.row_step;
      if (take_) {
        take_({run.z, run.y, run.x, run.count, group * lanes, groups * lanes, sums});
      } else {
        finish(finish_, arena, run, group * lanes, groups, sums, statistics);
      }
    }
    tile += beside;
  }
}

template <int m>
void Winograd::run_all(char* arena, std::int64_t begin, std::int64_t end) const {
  Room room(m, strip_tiles_, inputs_);
  const auto pairs = (groups_ + 1) / 2, tiles = run_ > 0 ? tiles_[1] * tiles_[2] : volume(tiles_);
  for (auto unit = begin; unit < end; ++unit) {
    const auto part = unit / splits_, first = part / runs_ * strip_tiles_, begins = part % runs_ * run_;
    Strip strip{first, std::min(first + strip_tiles_, tiles), begins};
    const auto from = splits_ == 1 ? 0 : unit % splits_, to = splits_ == 1 ? pairs : from + 1;
    const auto planes_end = run_ > 0 ? std::min(begins + run_, tiles_[0]) : 1;
    for (; strip.plane < planes_end; ++strip.plane) {
      if (room.holds != part) transform<m>(arena, strip, strip.plane == begins ? 0 : planes_ - 1, room);
      if (splits_ > 1) room.holds = part;
      for (auto group = 2 * from; group < 2 * to; group += 2) {
        float* statistics = nullptr;
        if (statistics_) {
          const auto summed = run_ > 0 ? first / strip_tiles_ * tiles_[0] + strip.plane : part;
          statistics = reinterpret_cast<float*>(arena + *statistics_) + (summed * groups_ + group) * lanes * 2;
          std::fill_n(statistics, std::min<std::int64_t>(2, groups_ - group) * lanes * 2, 0.f);
        }
        multiply_pair<m>(arena, strip, group, room, statistics);
      }
    }
  }
}

void Winograd::run(char* arena, std::int64_t begin, std::int64_t end) const {
  m_ == 2 ? run_all<2>(arena, begin, end) : run_all<4>(arena, begin, end);
}

}  // namespace ichdet::native
