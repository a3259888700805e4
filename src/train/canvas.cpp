#include "canvas.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ichdet/core/error.hpp"
#include "ichdet/phantom/distance.hpp"
#include "ichdet/phantom/random.hpp"

namespace ichdet::train {

double Dice::uniform() { return counter_uniform(seed_, 71, next_++); }
std::uint64_t Dice::bits() { return counter_hash(seed_, 72, next_++); }
float Dice::normal() { return counter_normal(seed_, 73, next_++); }
float Dice::log_between(double low, double high) { return float(std::exp(between(std::log(low), std::log(high)))); }

namespace {

using shapes::ramp;

/// Two passes of a running mean over 2 * reach + 1 pixels along a line of `n` pixels, `stride` apart.
void box_line(float* line, std::int64_t n, std::int64_t stride, std::int64_t reach, std::vector<float>& scratch) {
  if (reach < 1) return;
  scratch.resize(std::size_t(n));
  for (int pass = 0; pass < 2; ++pass) {
    for (std::int64_t i = 0; i < n; ++i) scratch[std::size_t(i)] = line[i * stride];
    const auto at = [&](std::int64_t i) { return scratch[std::size_t(std::clamp<std::int64_t>(i, 0, n - 1))]; };
    float sum = 0;
    for (std::int64_t i = -reach; i <= reach; ++i) sum += at(i);
    const float share = 1 / float(2 * reach + 1);
    for (std::int64_t i = 0; i < n; ++i) {
      line[i * stride] = sum * share;
      sum += at(i + reach + 1) - at(i - reach);
    }
  }
}

/// Blurs the box of each slice; `weights` of the first pass are those of three neighbours.
void blur_box(const Canvas& v, Array3<float>& x, std::int64_t reach) {
  std::vector<float> scratch;
  for (std::int64_t s = 0; s < v.slices; ++s) {
    for (auto r = v.box[0]; r <= v.box[1]; ++r)
      box_line(&x(s, r, v.box[2]), v.box[3] - v.box[2] + 1, 1, reach, scratch);
    for (auto c = v.box[2]; c <= v.box[3]; ++c) {
      box_line(&x(s, v.box[0], c), v.box[1] - v.box[0] + 1, v.columns, reach, scratch);
    }
  }
}

void find_range(Canvas& v) {
  const auto [low, high] = std::minmax_element(v.stack.hu.begin(), v.stack.hu.end());
  if (*high > 300 || *low < -200) return;
  v.clipped = true;
  v.low_hu = *low;
  v.high_hu = *high;
}

void find_box(Canvas& v) {
  v.box = {v.rows, -1, v.columns, -1};
  for (std::int64_t s = 0; s < v.slices; ++s) {
    for (std::int64_t r = 0; r < v.rows; ++r) {
      for (std::int64_t c = 0; c < v.columns; ++c) {
        if (!(v.depth(s, r, c) > 0)) continue;
        v.box = {std::min(v.box[0], r), std::max(v.box[1], r), std::min(v.box[2], c), std::max(v.box[3], c)};
      }
    }
  }
  if (v.box[1] < v.box[0]) v.box = {0, -1, 0, -1};
}

void find_brain(Canvas& v) {
  std::vector<float> values;
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const float hu = v.stack.hu(s, r, c);
    if ((r + c) % 3 == 0 && hu > 14 && hu < 60) values.push_back(hu);
  });
  if (values.empty()) return;
  const auto middle = values.begin() + std::ptrdiff_t(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  v.brain_hu = *middle;
}

/// One piece of a slice's cavity.
struct Piece {
  std::vector<std::array<std::int64_t, 2>> pixels;
  std::array<std::int64_t, 4> box{1 << 20, -1, 1 << 20, -1};
  std::int64_t rim = 0, beside_bone = 0;
  std::int64_t tissue = 0;  ///< pixels with a value that brain or CSF can have
};

/// Collects the pixels that hang together with (row, column), where `state` is 1; it becomes 2. Counts how much of
/// their rim has bone within some 6 mm outwards.
Piece piece_at(const Canvas& v, Array3<std::uint8_t>& state, std::int64_t s, std::int64_t row, std::int64_t column) {
  const float bone_hu = v.clipped ? v.high_hu - 1 : 180;
  const auto reach = std::int64_t(std::ceil(6 / v.row_mm));
  const auto there = [&](std::int64_t r, std::int64_t c) { return r >= 0 && c >= 0 && r < v.rows && c < v.columns; };
  Piece piece;
  piece.pixels.push_back({row, column});
  state(s, row, column) = 2;
  for (std::size_t i = 0; i < piece.pixels.size(); ++i) {
    const auto [r, c] = piece.pixels[i];
    const float hu = v.stack.hu(s, r, c);
    piece.tissue += hu > 1 && hu < 55 ? 1 : 0;
    piece.box = {std::min(piece.box[0], r), std::max(piece.box[1], r), std::min(piece.box[2], c),
                 std::max(piece.box[3], c)};
    for (const auto& [dy, dx] : {std::array<std::int64_t, 2>{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
      if (!there(r + dy, c + dx)) continue;
      auto& beside = state(s, r + dy, c + dx);
      if (beside == 1) {
        beside = 2;
        piece.pixels.push_back({r + dy, c + dx});
      }
      if (beside != 0) continue;
      ++piece.rim;
      for (std::int64_t k = 1; k <= reach && there(r + k * dy, c + k * dx); ++k) {
        if (v.stack.hu(s, r + k * dy, c + k * dx) < bone_hu) continue;
        ++piece.beside_bone;
        break;
      }
    }
  }
  return piece;
}

/// Leaves the pieces that bone encloses, and says how round the middle slice's largest one is: the vertex is, the skull
/// base is not.
void find_pieces(Canvas& v) {
  constexpr double least_enclosed = 0.7, least_tissue = 0.7, least_mm2 = 150;
  Array3<std::uint8_t> state(v.depth_mm.shape());
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) { state(s, r, c) = 1; });
  std::size_t largest = 0;
  v.cavity_mm2 = 0;
  for (std::int64_t s = 0; s < v.slices; ++s) {
    std::size_t left = 0;
    for (auto row = v.box[0]; row <= v.box[1]; ++row) {
      for (auto column = v.box[2]; column <= v.box[3]; ++column) {
        if (state(s, row, column) != 1) continue;
        const Piece piece = piece_at(v, state, s, row, column);
        const double area = double(piece.pixels.size()) * v.row_mm * v.column_mm;
        const bool open = double(piece.beside_bone) < least_enclosed * double(piece.rim);
        const bool other = double(piece.tissue) < least_tissue * double(piece.pixels.size());  // muscle, fat
        if (area < least_mm2 || open || other) {
          for (const auto& [r, c] : piece.pixels) v.depth_mm(s, r, c) = -1;
          continue;
        }
        left += piece.pixels.size();
        if (s != v.slices / 2 || piece.pixels.size() <= largest) continue;
        largest = piece.pixels.size();
        const auto& b = piece.box;
        v.round = float(double(largest) / (0.7854 * double(b[1] - b[0] + 1) * double(b[3] - b[2] + 1)));
      }
    }
    v.cavity_mm2 = std::max(v.cavity_mm2, float(left) * v.row_mm * v.column_mm);
  }
}

/// Noise: from differences of neighbours along rows, deep inside (their median is 0.954 sigma).
void find_noise(Canvas& v) {
  std::vector<float> steps;
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    if ((r + c) % 3 != 0 || v.depth(s, r, c) < 6 || c + 2 > v.box[3]) return;
    steps.push_back(std::abs(v.stack.hu(s, r, c) - v.stack.hu(s, r, c + 2)));
  });
  if (steps.empty()) return;
  const auto middle = steps.begin() + std::ptrdiff_t(steps.size() / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  v.noise_hu = std::clamp(*middle / 0.954F, 0.5F, 25.0F);
}

/// The mid-sagittal line of the slab: the one about which cavity and HU mirror best, near the anatomy's own.
void find_middle(Canvas& v) {
  if (v.cavity_mm2 < 2000) return;
  const std::int64_t s = v.slices / 2;
  struct Point {
    Eigen::Vector3f head;
    float hu, depth;
  };
  std::vector<Point> points;
  for (auto r = v.box[0]; r <= v.box[1]; r += 5) {
    for (auto c = v.box[2]; c <= v.box[3]; c += 5) {
      if (v.depth(s, r, c) > 0) points.push_back({v.head(s, r, c), v.smooth(s, r, c), v.depth(s, r, c)});
    }
  }
  Eigen::Matrix2f back;  // from steps in head coordinates to rows and columns
  back << v.head_row.x(), v.head_column.x(), v.head_row.y(), v.head_column.y();
  if (std::abs(back.determinant()) < 1e-4F) return;
  back = back.inverse().eval();
  const Eigen::Vector2f origin = (v.head_origin + float(s) * v.head_slice).head<2>();
  double best = std::numeric_limits<double>::infinity();
  for (float shift = -8; shift <= 8; shift += 1) {
    for (float slope = -0.14F; slope <= 0.141F; slope += 0.035F) {
      double cost = 0.1 * std::abs(shift) + 5 * std::abs(slope);
      for (const auto& p : points) {
        const Eigen::Vector2f mirrored(2 * (shift + slope * p.head.y()) - p.head.x(), p.head.y());
        const Eigen::Vector2f at = back * (mirrored - origin);
        const auto r = std::int64_t(std::lround(at.x())), c = std::int64_t(std::lround(at.y()));
        const bool there = r >= 0 && c >= 0 && r < v.rows && c < v.columns && v.depth(s, r, c) > 0;
        cost += (there ? std::min(8.0F, std::abs(v.smooth(s, r, c) - p.hu)) +
                             0.6F * std::min(10.0F, std::abs(v.depth(s, r, c) - p.depth))
                       : 10.0F) /
                double(points.size());
      }
      if (cost < best) {
        best = cost;
        v.middle_mm = shift;
        v.middle_slope = slope;
      }
    }
  }
}

/// CSF by how dark a pixel is against the scan's brain; ventricles are its pieces that lie deep and reach the midline.
void find_fluid(Canvas& v) {
  v.csf = Array3<float>(v.stack.hu.shape());
  v.ventricle = Array3<float>(v.stack.hu.shape());
  const float csf_hu = std::max(v.clipped ? 3.0F : 6.0F, v.brain_hu - 27);
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const float part = std::clamp((v.brain_hu - 1 - v.smooth(s, r, c)) / (v.brain_hu - csf_hu), 0.0F, 1.0F);
    v.csf(s, r, c) = part * ramp(part, 0.2F, 0.45F);
  });
  Array3<std::uint8_t> state(v.stack.hu.shape());
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) { state(s, r, c) = v.csf(s, r, c) > 0.45F; });
  std::vector<std::array<std::int64_t, 2>> piece;
  for (std::int64_t s = 0; s < v.slices; ++s) {
    for (auto row = v.box[0]; row <= v.box[1]; ++row) {
      for (auto column = v.box[2]; column <= v.box[3]; ++column) {
        if (state(s, row, column) != 1) continue;
        piece.assign(1, {row, column});
        state(s, row, column) = 2;
        float nearest = 1000, deep = 0;
        for (std::size_t i = 0; i < piece.size(); ++i) {
          const auto [r, c] = piece[i];
          nearest = std::min(nearest, std::abs(v.head(s, r, c).x()));
          deep += v.depth(s, r, c) > 22 ? 1 : 0;
          for (const auto& [y, x] : {std::array{r - 1, c}, {r + 1, c}, {r, c - 1}, {r, c + 1}}) {
            if (y < 0 || x < 0 || y >= v.rows || x >= v.columns || state(s, y, x) != 1) continue;
            state(s, y, x) = 2;
            piece.push_back({y, x});
          }
        }
        const float area = float(piece.size()) * v.row_mm * v.column_mm;
        if (area < 20 || nearest > 24 || deep < 0.6F * float(piece.size())) continue;
        for (const auto& [r, c] : piece) {
          if (v.depth(s, r, c) < 14) continue;
          for (auto y = std::max<std::int64_t>(r - 1, 0); y <= std::min(r + 1, v.rows - 1); ++y) {
            for (auto x = std::max<std::int64_t>(c - 1, 0); x <= std::min(c + 1, v.columns - 1); ++x) {
              v.ventricle(s, y, x) = v.csf(s, y, x);
            }
          }
        }
      }
    }
  }
}

}  // namespace

Canvas::Canvas(SliceStack& slab, const HeadAnatomy& of_slab)
    : stack(slab),
      anatomy(of_slab),
      slices(slab.hu.extent(0)),
      rows(slab.hu.extent(1)),
      columns(slab.hu.extent(2)),
      row_mm(float(slab.geometry.planes().front().row_spacing_mm)),
      column_mm(float(slab.geometry.planes().front().column_spacing_mm)),
      gap_mm(float(slab.geometry.nominal_gap_mm())) {
  if (anatomy.depth_mm.shape() != slab.hu.shape()) {
    throw Error(ErrorCode::shape, "anatomy, depth_mm: expected the slab's shape, found another");
  }
  depth_mm = anatomy.depth_mm.clone();
}

Canvas look_at(SliceStack& slab, const HeadAnatomy& anatomy) {
  const auto& plane = slab.geometry.planes().front();
  Canvas v(slab, anatomy);
  find_range(v);
  find_box(v);
  find_pieces(v);
  find_box(v);
  find_brain(v);
  const Eigen::Affine3d to_head = anatomy.head_to_lps.inverse();
  const auto head_step = [&](const Eigen::Vector3d& step) -> Eigen::Vector3f {
    return (to_head.linear() * step).cast<float>();
  };
  v.head_origin = (to_head * plane.position_mm).cast<float>();
  v.head_row = head_step(plane.along_column * plane.row_spacing_mm);
  v.head_column = head_step(plane.along_row * plane.column_spacing_mm);
  v.head_slice = head_step(slab.geometry.normal() * slab.geometry.nominal_gap_mm());
  v.smooth = Array3<float>(slab.hu.shape(), v.brain_hu);
  if (v.box[1] < v.box[0]) return v;
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    v.smooth(s, r, c) = std::clamp(slab.hu(s, r, c), -20.0F, 90.0F);
  });
  blur_box(v, v.smooth, std::max<std::int64_t>(1, std::lround(0.8F / v.row_mm)));
  v.broad = v.smooth.clone();
  blur_box(v, v.broad, std::lround(4.5F / v.row_mm));
  find_noise(v);
  find_middle(v);
  find_fluid(v);
  return v;
}

float own_tissue(const Array3<float>& hu, std::int64_t s, std::int64_t r, std::int64_t c) {
  const auto mean_within = [&](float centre, std::int64_t reach, float tolerance) {
    float sum = 0;
    int n = 0;
    for (auto y = std::max<std::int64_t>(r - reach, 0); y <= std::min(r + reach, hu.extent(1) - 1); ++y) {
      for (auto x = std::max<std::int64_t>(c - reach, 0); x <= std::min(c + reach, hu.extent(2) - 1); ++x) {
        const float value = hu(s, y, x);
        if (std::abs(value - centre) > tolerance) continue;
        sum += value;
        ++n;
      }
    }
    return n > 0 ? sum / float(n) : centre;
  };
  return mean_within(mean_within(hu(s, r, c), 1, 15), 2, 12);
}

Array3<float> parts(const Canvas& v, const Array3<float>& distance, float edge_mm, float slant) {
  Array3<float> result(distance.shape());
  const float reach = edge_mm + v.gap_mm;
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const float d = distance(s, r, c);
    if (!(d < reach)) return;
    float slope = slant;
    if (v.slices > 1) {
      const auto below = std::max<std::int64_t>(s - 1, 0), above = std::min(s + 1, v.slices - 1);
      const float step = std::abs(distance(above, r, c) - distance(below, r, c)) / (float(above - below) * v.gap_mm);
      slope = std::isfinite(step) ? std::min(step, 1.0F) : 0.3F;
    }
    result(s, r, c) = shapes::inside(d, std::hypot(edge_mm, 0.8F * slope * v.gap_mm));
  });
  return result;
}

}  // namespace ichdet::train
