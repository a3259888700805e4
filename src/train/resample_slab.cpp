#include "resample_slab.hpp"

#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cmath>

#include "ichdet/phantom/random.hpp"

namespace ichdet::train {
namespace {

/// Weights of the four control points around a place `t` of the way between the middle two.
void cubic_weights(double t, float* weights) {
  const double u = 1 - t;
  weights[0] = float(u * u * u / 6);
  weights[1] = float((3 * t * t * t - 6 * t * t + 4) / 6);
  weights[2] = float((3 * u * u * u - 6 * u * u + 4) / 6);
  weights[3] = float(t * t * t / 6);
}

/// The mean over a cell of the sum of squared weights along one axis.
constexpr double spline_power = 151.0 / 315.0;

/// Reads between pixels of a volume.
struct Reader {
  const float* hu;
  const std::uint8_t* mask;
  std::int64_t slices, rows, columns;
  float outside;

  float at(std::int64_t s, std::int64_t r, std::int64_t c) const {
    const bool there = s >= 0 && r >= 0 && c >= 0 && s < slices && r < rows && c < columns;
    return there ? hu[(s * rows + r) * columns + c] : outside;
  }
  float in_slice(std::int64_t s, double r, double c) const {
    const auto r0 = std::int64_t(std::floor(r)), c0 = std::int64_t(std::floor(c));
    const auto y = float(r - double(r0)), x = float(c - double(c0));
    if (s >= 0 && s < slices && r0 >= 0 && c0 >= 0 && r0 + 1 < rows && c0 + 1 < columns) {
      const float* p = hu + (s * rows + r0) * columns + c0;
      const float top = p[0] + x * (p[1] - p[0]);
      const float bottom = p[columns] + x * (p[columns + 1] - p[columns]);
      return top + y * (bottom - top);
    }
    if (r0 < -1 || c0 < -1 || r0 >= rows || c0 >= columns) return outside;
    const float top = at(s, r0, c0) + x * (at(s, r0, c0 + 1) - at(s, r0, c0));
    const float bottom = at(s, r0 + 1, c0) + x * (at(s, r0 + 1, c0 + 1) - at(s, r0 + 1, c0));
    return top + y * (bottom - top);
  }
  float linear(double s, double r, double c) const {
    const auto s0 = std::int64_t(std::floor(s));
    const auto z = float(s - double(s0));
    const float first = in_slice(s0, r, c);
    return z == 0 ? first : first + z * (in_slice(s0 + 1, r, c) - first);
  }
  std::uint8_t nearest(double s, double r, double c) const {
    const auto z = std::int64_t(std::floor(s + 0.5)), y = std::int64_t(std::floor(r + 0.5)),
               x = std::int64_t(std::floor(c + 0.5));
    const bool there = z >= 0 && y >= 0 && x >= 0 && z < slices && y < rows && x < columns;
    return there ? mask[(z * rows + y) * columns + x] : std::uint8_t{0};
  }
};

}  // namespace

SplineField::SplineField(std::int64_t rows, std::int64_t columns, double period_rows, double period_columns,
                         std::uint64_t seed)
    : columns_(columns), per_row_(1 / period_rows), per_column_(1 / period_columns) {
  control_rows_ = std::int64_t(double(rows) * per_row_) + 4;
  control_columns_ = std::int64_t(double(columns) * per_column_) + 4;
  control_.resize(std::size_t(control_rows_ * control_columns_));
  for (std::size_t i = 0; i < control_.size(); ++i) control_[i] = counter_normal(seed, 41, i) / float(spline_power);
  for (std::int64_t c = 0; c < columns; ++c) {
    const double at = double(c) * per_column_;
    first_column_.push_back(std::int64_t(at));
    column_weights_.resize(column_weights_.size() + 4);
    cubic_weights(at - std::floor(at), &column_weights_[std::size_t(4 * c)]);
  }
}

void SplineField::row(std::int64_t row, std::vector<float>& values) const {
  const double at = double(row) * per_row_;
  float weights[4];
  cubic_weights(at - std::floor(at), weights);
  std::vector<float> line(std::size_t(control_columns_), 0.0F);
  for (int k = 0; k < 4; ++k) {
    const float* from = &control_[std::size_t((std::int64_t(at) + k) * control_columns_)];
    for (std::size_t i = 0; i < line.size(); ++i) line[i] += weights[k] * from[i];
  }
  values.resize(std::size_t(columns_));
  for (std::size_t c = 0; c < values.size(); ++c) {
    const float* from = &line[std::size_t(first_column_[c])];
    const float* w = &column_weights_[4 * c];
    values[c] = w[0] * from[0] + w[1] * from[1] + w[2] * from[2] + w[3] * from[3];
  }
}

void resample(Slab& slab, const Warp& warp, float outside_hu) {
  const auto slices = slab.hu.size(0), rows = slab.hu.size(1), columns = slab.hu.size(2);
  const at::Tensor hu = at::empty_like(slab.hu);
  const at::Tensor mask = slab.mask.defined() ? at::empty_like(slab.mask) : at::Tensor();
  const Reader from{slab.hu.const_data_ptr<float>(),
                    mask.defined() ? slab.mask.const_data_ptr<std::uint8_t>() : nullptr,
                    slices,
                    rows,
                    columns,
                    outside_hu};
  const bool elastic = warp.elastic_rows > 0 || warp.elastic_columns > 0;
  const SplineField along_rows(rows, columns, warp.elastic_period_rows, warp.elastic_period_columns, 2 * warp.seed);
  const SplineField along_columns(rows, columns, warp.elastic_period_rows, warp.elastic_period_columns,
                                  2 * warp.seed + 1);
  const Eigen::Vector3d middle = 0.5 * Eigen::Vector3d(double(slices - 1), double(rows - 1), double(columns - 1));
  const Eigen::Vector3d step = warp.matrix.col(2);
  std::vector<float> down(std::size_t(columns), 0.0F), across(std::size_t(columns), 0.0F);
  float* out = hu.mutable_data_ptr<float>();
  std::uint8_t* out_mask = mask.defined() ? mask.mutable_data_ptr<std::uint8_t>() : nullptr;
  for (std::int64_t r = 0; r < rows; ++r) {
    if (elastic) {
      along_rows.row(r, down);
      along_columns.row(r, across);
    }
    for (std::int64_t s = 0; s < slices; ++s) {
      const Eigen::Vector3d at(double(s), double(r), 0);
      Eigen::Vector3d p = warp.matrix * (at - middle) + middle + warp.shift;
      if (!warp.slice_shift.empty()) p.tail<2>() += warp.slice_shift[std::size_t(s)];
      const auto line = (s * rows + r) * columns;
      for (std::int64_t c = 0; c < columns; ++c) {
        const double y = p[1] + warp.elastic_rows * double(down[std::size_t(c)]);
        const double x = p[2] + warp.elastic_columns * double(across[std::size_t(c)]);
        out[line + c] = from.linear(p[0], y, x);
        if (out_mask != nullptr) out_mask[line + c] = from.nearest(p[0], y, x);
        p += step;
      }
    }
  }
  slab.hu = hu;
  slab.mask = mask;
}

}  // namespace ichdet::train
