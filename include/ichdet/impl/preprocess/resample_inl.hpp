#pragma once

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/preprocess/resample.hpp"

namespace ichdet {

namespace detail {

/// What is read from: parallel planes of pixels. A point has one coordinate across the planes, `across . (p, 1)`, and
/// in each plane a (column, row), `in_plane * (p, 1)`.
struct SourcePlanes {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> places;  ///< of the planes, along `across`, increasing
  double first = 0, last = 0;  ///< points whose `across` is not in [first, last) are outside
  Eigen::RowVector4d across;
  std::vector<Eigen::Matrix<double, 2, 4>> in_plane;  ///< one for each plane, or one for all

  const Eigen::Matrix<double, 2, 4>& plane(std::size_t k) const { return in_plane[in_plane.size() == 1 ? 0 : k]; }
};

/// What is written to: pixel (x, y) of plane k lies at planes[k] * (x, y, 1).
struct TargetPlanes {
  std::int64_t rows = 0, columns = 0;
  std::vector<Eigen::Matrix<double, 3, 3>> planes;
};

constexpr double index_noise = 1e-6;

ICHDET_INLINE SourcePlanes source_planes(const Geometry& grid) {
  SourcePlanes source;
  source.columns = grid.size()[0];
  source.rows = grid.size()[1];
  for (std::int64_t k = 0; k < grid.size()[2]; ++k) source.places.push_back(double(k));
  source.first = -0.5;
  source.last = double(grid.size()[2]) - 0.5;
  source.across = grid.inverse_affine().row(2);
  source.in_plane.emplace_back(grid.inverse_affine().topRows<2>());
  return source;
}

ICHDET_INLINE SourcePlanes source_planes(const SliceGeometry& slices) {
  SourcePlanes source;
  source.columns = slices.columns();
  source.rows = slices.rows();
  source.places = slices.offsets_mm();
  const auto extents = slices.extents_mm();
  source.first = -extents.front() / 2;
  source.last = source.places.back() + extents.back() / 2;
  source.across.head<3>() = slices.normal().transpose();
  source.across[3] = -slices.normal().dot(slices.planes().front().position_mm);
  for (const auto& plane : slices.planes()) {
    Eigen::Matrix<double, 3, 2> steps;
    steps << plane.along_row * plane.column_spacing_mm, plane.along_column * plane.row_spacing_mm;
    // Least squares, so that axes a little off the perpendicular are inverted exactly.
    const Eigen::Matrix<double, 2, 3> inverse = (steps.transpose() * steps).ldlt().solve(steps.transpose());
    auto& map = source.in_plane.emplace_back();
    map << inverse, -inverse * plane.position_mm;
  }
  return source;
}

ICHDET_INLINE TargetPlanes target_planes(const Geometry& grid) {
  TargetPlanes target{grid.size()[1], grid.size()[0], {}};
  for (std::int64_t k = 0; k < grid.size()[2]; ++k) {
    auto& plane = target.planes.emplace_back();
    plane << grid.affine().topLeftCorner<3, 2>(), grid.to_lps({0, 0, double(k)});
  }
  return target;
}

ICHDET_INLINE TargetPlanes target_planes(const SliceGeometry& slices) {
  TargetPlanes target{slices.rows(), slices.columns(), {}};
  for (const auto& p : slices.planes()) {
    auto& plane = target.planes.emplace_back();
    plane << p.along_row * p.column_spacing_mm, p.along_column * p.row_spacing_mm, p.position_mm;
  }
  return target;
}

ICHDET_INLINE void check_frames(const std::string& from, const std::string& to) {
  if (!from.empty() && !to.empty() && from != to) {
    throw Error::mismatch(ErrorCode::geometry, "resampling, frame of reference", from, to);
  }
}

/// A linear function along one target row: value(x) = start + x * step.
struct Line {
  double start, step;
  double operator()(std::int64_t x) const { return start + double(x) * step; }
};

inline bool inside(double index, std::int64_t n) {
  return index >= -0.5 - index_noise && index < double(n) - 0.5 - index_noise;
}

/// Where between two neighbours an index falls; clamped to the centres.
struct Bracket {
  std::int64_t low, high;
  float fraction;
};

inline Bracket bracket(double index, std::int64_t n) {
  const double clamped = std::clamp(index, 0.0, double(n - 1));
  const auto low = std::int64_t(clamped);
  return {low, std::min(low + 1, n - 1), float(clamped - double(low))};
}

inline std::int64_t nearest_index(double index, std::int64_t n) {
  return std::clamp<std::int64_t>(std::int64_t(std::floor(index + 0.5 + index_noise)), 0, n - 1);
}

/// Reads one source along target rows. One for each thread: it holds that thread's work memory.
template <class T>
class RowReader {
 public:
  RowReader(const SourcePlanes& source, const T* values, const std::uint8_t* padding, Interpolation interpolation,
            T outside)
      : source_(source),
        values_(values),
        padding_(padding),
        interpolation_(interpolation),
        outside_(outside),
        noise_(index_noise * (source.last - source.first) / double(source.places.size())),
        blended_(std::size_t(source.columns) + 1) {}

  /// Target points `start + x * step` for x in [0, count).
  void read(const Eigen::Vector3d& start, const Eigen::Vector3d& step, std::int64_t count, T* out) {
    const Line across = line(source_.across, start, step);
    if (interpolation_ == Interpolation::linear && !padding_ && steady(across, count)) {
      if constexpr (std::is_same_v<T, float>) {
        if (read_steady(across, start, step, count, out)) return;
      }
    }
    std::size_t plane = 0;
    std::size_t known = source_.places.size();
    Line columns[2], rows[2];
    for (std::int64_t x = 0; x < count; ++x) {
      const double place = across(x);
      if (!within(place)) {
        out[x] = outside_;
        continue;
      }
      plane = plane_below(place, plane);
      if (plane != known) {
        for (int i = 0; i < 2; ++i) {
          const auto& map = source_.plane(std::min(plane + std::size_t(i), source_.places.size() - 1));
          columns[i] = line(map.row(0), start, step);
          rows[i] = line(map.row(1), start, step);
        }
        known = plane;
      }
      const double upper = weight_above(place, plane);
      out[x] = interpolation_ == Interpolation::linear ? linear_at(plane, upper, columns, rows, x)
                                                       : nearest_at(plane, upper, columns, rows, x);
    }
  }

 private:
  template <class Row>
  static Line line(const Row& map, const Eigen::Vector3d& start, const Eigen::Vector3d& step) {
    return {map.template head<3>().dot(start.transpose()) + map[3], map.template head<3>().dot(step.transpose())};
  }

  bool within(double place) const { return place >= source_.first - noise_ && place < source_.last - noise_; }

  static bool steady(const Line& along, std::int64_t count) {
    return std::abs(along.step) * double(count) < 1e-9 * std::max(1.0, std::abs(along.start));
  }

  /// The last plane at or below `place`, or plane 0; searched from `hint` on.
  std::size_t plane_below(double place, std::size_t hint) const {
    const auto& places = source_.places;
    while (hint + 1 < places.size() && places[hint + 1] <= place) ++hint;
    while (hint > 0 && places[hint] > place) --hint;
    return hint;
  }

  double weight_above(double place, std::size_t plane) const {
    if (plane + 1 == source_.places.size()) return 0;
    const double low = source_.places[plane];
    return std::max(0.0, (place - low) / (source_.places[plane + 1] - low));
  }

  const T* row_of(std::size_t plane, std::int64_t row) const {
    return values_ + (std::int64_t(plane) * source_.rows + row) * source_.columns;
  }

  T nearest_at(std::size_t plane, double upper, const Line* columns, const Line* rows, std::int64_t x) const {
    const int side = upper + index_noise >= 0.5 ? 1 : 0;
    const double u = columns[side](x);
    const double v = rows[side](x);
    if (!inside(u, source_.columns) || !inside(v, source_.rows)) return outside_;
    const auto pixel =
        row_of(plane + std::size_t(side), nearest_index(v, source_.rows)) - values_ + nearest_index(u, source_.columns);
    return padding_ && padding_[pixel] ? outside_ : values_[pixel];
  }

  T linear_at(std::size_t plane, double upper, const Line* columns, const Line* rows, std::int64_t x) const {
    float sum = 0;
    float total = 0;
    for (int side = 0; side < 2; ++side) {
      const auto weight = float(side == 1 ? upper : 1 - upper);
      if (weight <= 0) continue;
      const double u = columns[side](x);
      const double v = rows[side](x);
      if (!inside(u, source_.columns) || !inside(v, source_.rows)) continue;
      const auto column = bracket(u, source_.columns);
      const auto row = bracket(v, source_.rows);
      const auto top = row_of(plane + std::size_t(side), row.low) - values_;
      const auto bottom = row_of(plane + std::size_t(side), row.high) - values_;
      const std::int64_t pixels[4] = {top + column.low, top + column.high, bottom + column.low, bottom + column.high};
      const float weights[4] = {weight * (1 - row.fraction) * (1 - column.fraction),
                                weight * (1 - row.fraction) * column.fraction,
                                weight * row.fraction * (1 - column.fraction), weight * row.fraction * column.fraction};
      for (int i = 0; i < 4; ++i) {
        if (padding_ && padding_[pixels[i]]) continue;
        sum += weights[i] * float(values_[pixels[i]]);
        total += weights[i];
      }
    }
    return total > 0 ? T(sum / total) : outside_;
  }

  /// The common case of a target row that stays between two planes and on one row of each: those rows are blended
  /// first, in order, and then read along x. False where it is another case.
  bool read_steady(const Line& across, const Eigen::Vector3d& start, const Eigen::Vector3d& step, std::int64_t count,
                   T* out) {
    if (!within(across.start)) {
      std::fill(out, out + count, outside_);
      return true;
    }
    const auto plane = plane_below(across.start, 0);
    const auto upper = float(weight_above(across.start, plane));
    const int sides = upper > 0 ? 2 : 1;
    Line columns[2], rows[2];
    for (int side = 0; side < sides; ++side) {
      const auto& map = source_.plane(plane + std::size_t(side));
      columns[side] = line(map.row(0), start, step);
      rows[side] = line(map.row(1), start, step);
      if (!steady(rows[side], count)) return false;
    }
    if (sides == 2 && (std::abs(columns[1].start - columns[0].start) > 1e-9 || columns[1].step != columns[0].step ||
                       inside(rows[0].start, source_.rows) != inside(rows[1].start, source_.rows))) {
      return false;
    }
    if (!inside(rows[0].start, source_.rows)) {
      std::fill(out, out + count, outside_);
      return true;
    }
    for (int side = 0; side < sides; ++side) {
      const auto row = bracket(rows[side].start, source_.rows);
      const T* top = row_of(plane + std::size_t(side), row.low);
      const T* bottom = row_of(plane + std::size_t(side), row.high);
      const float weight = side == 1 ? upper : 1 - upper;
      const float low = weight * (1 - row.fraction);
      const float high = weight * row.fraction;
      float* blended = blended_.data();
      if (side == 0) {
        for (std::int64_t i = 0; i < source_.columns; ++i) blended[i] = low * top[i] + high * bottom[i];
      } else {
        for (std::int64_t i = 0; i < source_.columns; ++i) blended[i] += low * top[i] + high * bottom[i];
      }
    }
    blended_[std::size_t(source_.columns)] = blended_[std::size_t(source_.columns) - 1];
    place_columns(columns[0], count);
    for (std::int64_t x = 0; x < first_; ++x) out[x] = outside_;
    for (std::int64_t x = first_; x < last_; ++x) {
      const auto& [low, fraction] = columns_[std::size_t(x)];
      const float a = blended_[std::size_t(low)];
      out[x] = a + fraction * (blended_[std::size_t(low) + 1] - a);
    }
    for (std::int64_t x = last_; x < count; ++x) out[x] = outside_;
    return true;
  }

  /// Works out which source columns the target columns fall between, unless the last row had the same.
  void place_columns(const Line& columns, std::int64_t count) {
    if (std::int64_t(columns_.size()) == count && columns.start == placed_.start && columns.step == placed_.step)
      return;
    columns_.resize(std::size_t(count));
    placed_ = columns;
    first_ = 0;
    last_ = 0;
    for (std::int64_t x = 0; x < count; ++x) {
      const double u = columns(x);
      if (!inside(u, source_.columns)) {
        if (last_ == 0) first_ = x + 1;
        continue;
      }
      last_ = x + 1;
      const auto place = bracket(u, source_.columns);
      columns_[std::size_t(x)] = {std::int32_t(place.low), place.fraction};
    }
    first_ = std::min(first_, count);
    last_ = std::max(first_, last_);
  }

  struct Column {
    std::int32_t low;
    float fraction;
  };

  const SourcePlanes& source_;
  const T* values_;
  const std::uint8_t* padding_;
  Interpolation interpolation_;
  T outside_;
  double noise_;
  std::vector<float> blended_;
  std::vector<Column> columns_;
  Line placed_{std::numeric_limits<double>::quiet_NaN(), 0};
  std::int64_t first_ = 0, last_ = 0;
};

template <class T>
void resample(const SourcePlanes& source, const T* values, const std::uint8_t* padding, const TargetPlanes& target,
              Interpolation interpolation, T outside, int threads, T* out) {
  constexpr std::int64_t block = 64;
  const auto blocks = (target.rows + block - 1) / block;
  parallel_for(std::int64_t(target.planes.size()) * blocks, threads, [&](std::int64_t i) {
    const auto k = i / blocks;
    const auto first = i % blocks * block;
    const auto& plane = target.planes[std::size_t(k)];
    RowReader<T> reader(source, values, padding, interpolation, outside);
    for (auto y = first; y < std::min(first + block, target.rows); ++y) {
      const Eigen::Vector3d start = plane.col(2) + double(y) * plane.col(1);
      reader.read(start, plane.col(0), target.columns, out + (k * target.rows + y) * target.columns);
    }
  });
}

template <class To>
Array3<float> resample_array(const float* values, const Geometry& from, const To& to, const ResampleOptions& options,
                             float outside) {
  check_frames(from.frame_of_reference_uid(), to.frame_of_reference_uid());
  auto result = Array3<float>::uninitialized(to.shape());
  resample(source_planes(from), values, nullptr, target_planes(to), options.interpolation,
           options.outside.value_or(outside), options.threads, result.data());
  return result;
}

template <class From, class To>
Array3<std::uint8_t> resample_labels(const Array3<std::uint8_t>& labels, const From& from, const To& to, int threads) {
  check_frames(from.frame_of_reference_uid(), to.frame_of_reference_uid());
  auto result = Array3<std::uint8_t>::uninitialized(to.shape());
  resample<std::uint8_t>(source_planes(from), labels.data(), nullptr, target_planes(to), Interpolation::nearest, 0,
                         threads, result.data());
  return result;
}

template <class To>
Array4<float> resample_classes(const ProbabilityMap& map, const To& to, const ResampleOptions& options) {
  check_frames(map.geometry.frame_of_reference_uid(), to.frame_of_reference_uid());
  const auto shape = to.shape();
  auto result = Array4<float>::uninitialized({map.values.extent(0), shape[0], shape[1], shape[2]});
  const auto source = source_planes(map.geometry);
  const auto target = target_planes(to);
  for (std::int64_t c = 0; c < map.values.extent(0); ++c) {
    resample(source, map.values.plane(c).data(), nullptr, target, options.interpolation,
             options.outside.value_or(c == 0 ? 1.0F : 0.0F), options.threads, result.plane(c).data());
  }
  return result;
}

constexpr float air_hu = -1024;

}  // namespace detail

ICHDET_INLINE Volume resample_to(const SliceStack& stack, const Geometry& to, const ResampleOptions& options) {
  detail::check_frames(stack.geometry.frame_of_reference_uid(), to.frame_of_reference_uid());
  auto hu = Array3<float>::uninitialized(to.shape());
  detail::resample(detail::source_planes(stack.geometry), stack.hu.data(),
                   stack.padding.empty() ? nullptr : stack.padding.data(), detail::target_planes(to),
                   options.interpolation, options.outside.value_or(detail::air_hu), options.threads, hu.data());
  return Volume(std::move(hu), to);
}

ICHDET_INLINE Volume resample_to(const Volume& volume, const Geometry& to, const ResampleOptions& options) {
  return Volume(detail::resample_array(volume.hu.data(), volume.geometry, to, options, detail::air_hu), to);
}

ICHDET_INLINE SliceStack resample_to(const Volume& volume, const SliceGeometry& to, const ResampleOptions& options) {
  return SliceStack(to, detail::resample_array(volume.hu.data(), volume.geometry, to, options, detail::air_hu));
}

ICHDET_INLINE Array3<float> resample_to(const Array3<float>& values, const Geometry& from, const Geometry& to,
                                        const ResampleOptions& options) {
  check_shape("values to resample", from.shape(), values.shape());
  return detail::resample_array(values.data(), from, to, options, 0);
}

ICHDET_INLINE Array3<float> resample_to(const Array3<float>& values, const Geometry& from, const SliceGeometry& to,
                                        const ResampleOptions& options) {
  check_shape("values to resample", from.shape(), values.shape());
  return detail::resample_array(values.data(), from, to, options, 0);
}

ICHDET_INLINE ProbabilityMap resample_to(const ProbabilityMap& probabilities, const Geometry& to,
                                         const ResampleOptions& options) {
  return ProbabilityMap(detail::resample_classes(probabilities, to, options), probabilities.classes, to);
}

ICHDET_INLINE Array4<float> resample_to(const ProbabilityMap& probabilities, const SliceGeometry& to,
                                        const ResampleOptions& options) {
  return detail::resample_classes(probabilities, to, options);
}

ICHDET_INLINE LabelMap resample_to(const LabelMap& labels, const Geometry& to, int threads) {
  return LabelMap(detail::resample_labels(labels.labels, labels.geometry, to, threads), labels.names, to);
}

ICHDET_INLINE SliceLabels resample_to(const LabelMap& labels, const SliceGeometry& to, int threads) {
  return SliceLabels(detail::resample_labels(labels.labels, labels.geometry, to, threads), labels.names, to);
}

ICHDET_INLINE LabelMap resample_to(const SliceLabels& labels, const Geometry& to, int threads) {
  return LabelMap(detail::resample_labels(labels.labels, labels.geometry, to, threads), labels.names, to);
}

}  // namespace ichdet
