#pragma once

#include <cmath>
#include <cstdio>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/phantom/distance.hpp"
#include "ichdet/phantom/grid_tools.hpp"
#include "ichdet/phantom/head_model.hpp"
#include "ichdet/phantom/paint.hpp"
#include "ichdet/phantom/phantom.hpp"
#include "ichdet/phantom/random.hpp"
#include "ichdet/phantom/target.hpp"

namespace ichdet {

namespace phantom_detail {

inline constexpr std::uint64_t stream_pose = 21, stream_noise = 1000;

ICHDET_INLINE void check_options(const PhantomOptions& o) {
  const auto require = [](bool good, const char* name, const char* expected, double found) {
    if (good) return;
    char number[32];
    std::snprintf(number, sizeof number, "%g", found);
    throw Error::mismatch(ErrorCode::options, std::string("phantom, ") + name, expected, number);
  };
  require(o.rows >= 16 && o.rows <= 4096, "rows", "16 to 4096", double(o.rows));
  require(o.columns >= 16 && o.columns <= 4096, "columns", "16 to 4096", double(o.columns));
  require(o.pixel_mm >= 0.1 && o.pixel_mm <= 10, "pixel_mm", "0.1 to 10", o.pixel_mm);
  require(!o.offsets_mm.empty() || (o.slices >= 1 && o.slices <= 2000), "slices", "1 to 2000", double(o.slices));
  require(o.thickness_mm >= 0.1 && o.thickness_mm <= 50, "thickness_mm", "0.1 to 50", o.thickness_mm);
  require(std::abs(o.tilt_degrees) <= 30, "tilt_degrees", "-30 to 30", o.tilt_degrees);
  require(o.noise_hu >= 0 && o.noise_hu <= 100, "noise_hu", "0 to 100", o.noise_hu);
  require(o.blur_mm >= 0 && o.blur_mm <= 10, "blur_mm", "0 to 10", o.blur_mm);
  require(o.subsamples >= 1 && o.subsamples <= 100, "subsamples", "1 to 100", o.subsamples);
  require(o.thicknesses_mm.empty() || o.thicknesses_mm.size() == o.offsets_mm.size(), "thicknesses_mm",
          "one for each of offsets_mm", double(o.thicknesses_mm.size()));
  for (const double t : o.thicknesses_mm) require(t >= 0.1 && t <= 50, "thicknesses_mm", "0.1 to 50 each", t);
  for (std::size_t i = 1; i < o.offsets_mm.size(); ++i) {
    require(o.offsets_mm[i] - o.offsets_mm[i - 1] >= 0.1, "offsets_mm", "steps of at least 0.1",
            o.offsets_mm[i] - o.offsets_mm[i - 1]);
  }
}

/// Offsets of the slices from the head's origin along the normal: from the vertex downwards, or, where that is not a
/// whole head, around the level of the basal ganglia.
ICHDET_INLINE std::vector<double> slice_offsets(const PhantomOptions& o) {
  if (!o.offsets_mm.empty()) return o.offsets_mm;
  const double span = double(o.slices - 1) * o.thickness_mm;
  const double first = span >= 110 ? 88 - span : 10 - span / 2;
  std::vector<double> offsets;
  for (std::int64_t i = 0; i < o.slices; ++i) offsets.push_back(first + double(i) * o.thickness_mm);
  return offsets;
}

ICHDET_INLINE SliceGeometry phantom_planes(const PhantomOptions& o) {
  const double tilt = o.tilt_degrees * 3.14159265358979323846 / 180;
  const Eigen::Vector3d along_column(0, std::cos(tilt), std::sin(tilt));
  std::vector<SlicePlane> planes;
  const auto offsets = slice_offsets(o);
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    SlicePlane plane;
    plane.along_row = Eigen::Vector3d::UnitX();
    plane.along_column = along_column;
    plane.column_spacing_mm = plane.row_spacing_mm = o.pixel_mm;
    plane.thickness_mm = o.thicknesses_mm.empty() ? o.thickness_mm : o.thicknesses_mm[i];
    // The table moves along z: a tilted gantry's slices are staggered, not stacked.
    plane.position_mm = Eigen::Vector3d(0, -4, offsets[i] / std::cos(tilt)) -
                        plane.along_row * (double(o.columns - 1) / 2 * o.pixel_mm) -
                        along_column * (double(o.rows - 1) / 2 * o.pixel_mm);
    planes.push_back(plane);
  }
  return SliceGeometry(std::move(planes), o.rows, o.columns);
}

/// Where the head lies on the table: turned with the gantry, and a little crooked, as heads are.
ICHDET_INLINE Eigen::Affine3d head_pose(const PhantomOptions& o, const HeadShape& shape) {
  const auto degrees = [&](std::uint64_t i, double most) {
    return (2 * counter_uniform(o.seed, stream_pose, i) - 1) * most * 3.14159265358979323846 / 180;
  };
  Eigen::Affine3d pose = Eigen::Affine3d::Identity();
  pose.rotate(
      Eigen::AngleAxisd(o.tilt_degrees * 3.14159265358979323846 / 180 + degrees(0, 3), Eigen::Vector3d::UnitX()));
  pose.rotate(Eigen::AngleAxisd(degrees(1, 3), Eigen::Vector3d::UnitZ()));
  pose.rotate(Eigen::AngleAxisd(degrees(2, 2.5), Eigen::Vector3d::UnitY()));
  pose.scale(shape.scale.cast<double>());
  return pose;
}

/// A carbon shell with a foam bed under the head, constant along the table.
ICHDET_INLINE float holder_hu(float x, float y) {
  using namespace shapes;
  const float shell = Eigen::Vector2f(x / 106, (y - 6) / 103).norm() - 1;
  const float open = inside(2 - y, 1.0F);
  float hu = -1000;
  hu = mix(hu, -960, inside(std::abs(shell * 104 + 4) - 3.2F, 1.0F) * open);
  return mix(hu, 300, inside(std::abs(shell * 104 - 1) - 0.9F, 1.0F) * open);
}

ICHDET_INLINE void add_noise(std::span<float> pixels, const PhantomOptions& o, std::int64_t slice) {
  // Filtered back-projection leaves noise with little power at low frequencies: a difference of two Gaussians.
  const double narrow = std::max(0.42 / o.pixel_mm, 0.3);
  const auto fine = gaussian_weights(narrow);
  const auto coarse = gaussian_weights(3.2 * narrow);
  constexpr float share = 0.85F;
  const auto product = [](const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    const auto shift = (std::ptrdiff_t(b.size()) - std::ptrdiff_t(a.size())) / 2;
    for (std::size_t i = 0; i < a.size(); ++i) sum += double(a[i]) * b[std::size_t(std::ptrdiff_t(i) + shift)];
    return sum * sum;
  };
  const double power =
      product(fine, fine) - 2 * share * product(fine, coarse) + share * share * product(coarse, coarse);
  const auto gain = float(o.noise_hu / std::sqrt(power));
  std::vector<float> white(pixels.size());
  for (std::size_t i = 0; i < white.size(); ++i)
    white[i] = counter_normal(o.seed, stream_noise + std::uint64_t(slice), i);
  std::vector<float> low = white;
  std::vector<float> scratch;
  blur_slice(white, o.rows, o.columns, fine, fine, scratch);
  blur_slice(low, o.rows, o.columns, coarse, coarse, scratch);
  for (std::size_t i = 0; i < white.size(); ++i) pixels[i] += gain * (white[i] - share * low[i]);
}

}  // namespace phantom_detail

ICHDET_INLINE PhantomStudy make_phantom(const PhantomOptions& options, const Progress& progress) {
  phantom_detail::check_options(options);
  const HeadShape shape = HeadShape::draw(options.seed, options.atrophy);
  progress("anatomy", 0);
  const HeadModel model(shape, options.threads);
  const SliceGeometry geometry = phantom_detail::phantom_planes(options);
  HeadAnatomy anatomy;
  anatomy.head_to_lps = phantom_detail::head_pose(options, shape);
  const Eigen::Affine3d to_head = anatomy.head_to_lps.inverse();

  std::vector<Hemorrhage> asked = options.hemorrhages;
  std::vector<Displacement> pushed;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const Eigen::Vector3d target =
        phantom_detail::choose_target(asked[i], anatomy.head_to_lps, geometry, options.seed + i);
    asked[i].target_mm = target;
    if (!options.mass_effect) continue;
    const Eigen::Vector3f centre = (to_head * target).cast<float>();
    const auto volume = float(asked[i].volume_ml * 1000 / shape.scale.prod());
    pushed.push_back({asked[i].type, centre, volume});
  }

  SliceStack stack(geometry, Array3<float>(geometry.shape()));
  anatomy.depth_mm = Array3<float>(geometry.shape());
  anatomy.ventricle = Array3<float>(geometry.shape());
  anatomy.csf = Array3<float>(geometry.shape());
  anatomy.midline_mm = Array3<float>(geometry.shape());
  if (options.padding_hu) stack.padding = Array3<std::uint8_t>(geometry.shape());
  const double fov = double(std::min(options.rows, options.columns)) / 2;
  std::atomic<std::int64_t> done{0};
  parallel_for(geometry.count() * options.rows, options.threads, [&](std::int64_t line) {
    const std::int64_t s = line / options.rows;
    const std::int64_t r = line % options.rows;
    const auto& plane = geometry.planes()[std::size_t(s)];
    if (progress.stop.stop_requested()) throw Error(ErrorCode::cancelled, "phantom: stopped on request");
    for (std::int64_t c = 0; c < options.columns; ++c) {
      const double dy = double(r) - double(options.rows - 1) / 2;
      const double dx = double(c) - double(options.columns - 1) / 2;
      const Eigen::Vector3d middle = plane.to_lps(double(r), double(c));
      HeadSample mean{0, 0, 0, 0};
      if (dx * dx + dy * dy > fov * fov && options.padding_hu) {
        stack.padding(s, r, c) = 1;
        mean.hu = -1000;
      } else {
        for (int k = 0; k < options.subsamples; ++k) {
          const double shift = ((k + 0.5) / options.subsamples - 0.5) * plane.thickness_mm;
          const Eigen::Vector3d p = middle + geometry.normal() * shift;
          const HeadSample one = model.at((to_head * p).cast<float>(), pushed);
          const float hu =
              one.hu <= -999 && options.table ? phantom_detail::holder_hu(float(p.x()), float(p.y())) : one.hu;
          mean.hu += hu / float(options.subsamples);
          mean.ventricle += one.ventricle / float(options.subsamples);
          mean.csf += one.csf / float(options.subsamples);
        }
      }
      const Eigen::Vector3f centre = (to_head * middle).cast<float>();
      const HeadSample at_centre = mean.hu > -900 ? model.at(centre) : HeadSample{};
      anatomy.depth_mm(s, r, c) = at_centre.depth_mm;
      anatomy.midline_mm(s, r, c) = at_centre.depth_mm > -20 ? model.midline_mm(centre) : centre.x();
      stack.hu(s, r, c) = mean.hu;
      anatomy.ventricle(s, r, c) = mean.ventricle;
      anatomy.csf(s, r, c) = mean.csf;
    }
  });
  progress("anatomy", 0.7);

  PaintOptions brush;
  brush.seed = options.seed;
  brush.threads = options.threads;
  PaintedLabels painted = paint(stack, anatomy, asked, brush);
  for (std::size_t i = 0; i < asked.size(); ++i) painted.placed[i].asked = options.hemorrhages[i];
  progress("scan", 0.8);

  const auto kernel = phantom_detail::gaussian_weights(options.blur_mm / 2.3548 / options.pixel_mm);
  parallel_for(geometry.count(), options.threads, [&](std::int64_t s) {
    std::vector<float> scratch;
    auto pixels = stack.hu.plane(s);
    phantom_detail::blur_slice(pixels, options.rows, options.columns, kernel, kernel, scratch);
    if (options.noise_hu > 0) phantom_detail::add_noise(pixels, options, s);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = std::clamp(std::round(pixels[i]), -1024.0F, 3071.0F);
      if (options.padding_hu && stack.padding.plane(s)[i] != 0) pixels[i] = *options.padding_hu;
    }
  });
  stack.identity.series_description = "SYNTHETIC head phantom, made by ichdet";
  stack.identity.modality = "CT";
  stack.identity.patient_id = "PHANTOM";
  progress("scan", 1);
  return {std::move(stack), std::move(painted.truth), std::move(painted.placed), std::move(anatomy)};
}

}  // namespace ichdet
