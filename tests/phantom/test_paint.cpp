#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/phantom/paint.hpp"
#include "ichdet/phantom/phantom.hpp"

using namespace ichdet;

namespace {

/// A healthy head, as a scan whose anatomy is not known.
const PhantomStudy& healthy() {
  static const PhantomStudy study = [] {
    PhantomOptions o;
    o.seed = 5;
    o.rows = o.columns = 192;
    o.pixel_mm = 1.2;
    o.slices = 27;
    o.thickness_mm = 6;
    o.subsamples = 3;
    return make_phantom(o);
  }();
  return study;
}

std::int64_t differing(const Array3<float>& a, const Array3<float>& b) {
  std::int64_t n = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) n += a.data()[i] != b.data()[i] ? 1 : 0;
  return n;
}

}  // namespace

TEST_CASE("the anatomy derived from HU agrees with the one the phantom was made from") {
  const auto& study = healthy();
  const auto derived = anatomy_from_scan(study.stack);
  CHECK(derived.assumptions.empty());
  double both = 0, either = 0, ventricle_both = 0, ventricle_true = 0, depth_error = 0, deep = 0;
  for (std::int64_t i = 0; i < study.stack.hu.size(); ++i) {
    const bool truly = study.anatomy.depth_mm.data()[i] > 0;
    const bool found = derived.depth_mm.data()[i] > 0;
    both += truly && found;
    either += truly || found;
    const bool ventricle = study.anatomy.ventricle.data()[i] > 0.8F;
    ventricle_true += ventricle;
    ventricle_both += ventricle && derived.ventricle.data()[i] > 0.5F;
    if (study.anatomy.depth_mm.data()[i] > 20 && found) {
      depth_error += std::abs(study.anatomy.depth_mm.data()[i] - derived.depth_mm.data()[i]);
      ++deep;
    }
  }
  CHECK(both / either > 0.88);
  CHECK(ventricle_both / ventricle_true > 0.7);
  CHECK(depth_error / deep < 6);
  const Eigen::Vector3d centre = derived.head_to_lps.translation() - study.anatomy.head_to_lps.translation();
  CHECK(centre.norm() < 12);
}

TEST_CASE("painting into a scan of unknown anatomy: volume, contrast, and nothing changed elsewhere") {
  const auto& study = healthy();
  const auto anatomy = anatomy_from_scan(study.stack);
  for (const auto& [type, ml] : {std::pair{HemorrhageType::intraparenchymal, 20.0},
                                 {HemorrhageType::intraventricular, 5.0},
                                 {HemorrhageType::subdural, 40.0},
                                 {HemorrhageType::epidural, 25.0},
                                 {HemorrhageType::subarachnoid, 3.0}}) {
    CAPTURE(to_string(type));
    Hemorrhage h;
    h.type = type;
    h.volume_ml = ml;
    SliceStack stack = study.stack;
    stack.hu = study.stack.hu.clone();
    const auto painted = paint(stack, anatomy, {h}, {.seed = 9});
    CHECK(std::abs(painted.placed.front().volume_ml - ml) <= std::max(0.05 * ml, 0.3));
    CHECK(differing(stack.hu, study.stack.hu) > 0);

    // Blood is brighter than what it lies on by more than half of the contrast to brain.
    double rise = 0, inside = 0, changed = 0, label_pixels = 0;
    for (std::int64_t i = 0; i < stack.hu.size(); ++i) {
      const float before = study.stack.hu.data()[i];
      const float after = stack.hu.data()[i];
      const bool labelled = painted.truth.labels.data()[i] == std::uint8_t(type);
      label_pixels += labelled;
      changed += before != after;
      if (labelled && before < 60) {
        rise += after - before;
        ++inside;
      }
      if (after != std::round(after)) FAIL("integers must stay integers");
    }
    CHECK(rise / inside > 12);
    CHECK(changed < 3 * label_pixels);

    // Far from the label nothing is touched, but for the few pixels whose cost is nearer than their place.
    const auto shape = stack.hu.shape();
    const auto reach = std::int64_t(std::ceil(3 * h.soft_edge_mm / 1.2)) + 1;
    std::int64_t strays = 0;
    for (std::int64_t s = 0; s < shape[0]; ++s) {
      for (std::int64_t r = 0; r < shape[1]; ++r) {
        for (std::int64_t c = 0; c < shape[2]; ++c) {
          if (stack.hu(s, r, c) == study.stack.hu(s, r, c) || painted.truth.labels(s, r, c) != 0) continue;
          bool near = false;
          for (std::int64_t ds = -1; ds <= 1 && !near; ++ds) {
            for (std::int64_t y = std::max<std::int64_t>(r - reach, 0); y <= std::min(r + reach, shape[1] - 1) && !near;
                 ++y) {
              for (std::int64_t x = std::max<std::int64_t>(c - reach, 0); x <= std::min(c + reach, shape[2] - 1); ++x) {
                if (s + ds >= 0 && s + ds < shape[0] && painted.truth.labels(s + ds, y, x) != 0) near = true;
              }
            }
          }
          strays += near ? 0 : 1;
        }
      }
    }
    CHECK(double(strays) < 0.03 * label_pixels);
  }
}

TEST_CASE("the scan's noise stays on the blood") {
  const auto& study = healthy();
  Hemorrhage h;
  h.volume_ml = 30;
  h.region = "basal ganglia";
  h.texture_hu = 0;
  h.soft_edge_mm = 0.5;
  const auto deviation = [&](bool keep) {
    SliceStack stack = study.stack;
    stack.hu = study.stack.hu.clone();
    const auto painted = paint(stack, study.anatomy, {h}, {.seed = 2, .keep_noise = keep});
    double sum = 0, square = 0, n = 0;
    for (std::int64_t i = 0; i < stack.hu.size(); ++i) {
      if (painted.truth.labels.data()[i] != 1) continue;
      sum += stack.hu.data()[i];
      square += stack.hu.data()[i] * stack.hu.data()[i];
      ++n;
    }
    return std::sqrt(square / n - sum / n * sum / n);
  };
  CHECK(deviation(true) > 2);
  CHECK(deviation(true) < 7);
  CHECK(deviation(false) < deviation(true));
}

TEST_CASE("hemorrhages painted together do not overlap, and a rim of oedema lies around the blood") {
  const auto& study = healthy();
  Hemorrhage first;
  first.volume_ml = 20;
  first.side = Side::left;
  first.region = "parietal";
  first.oedema_mm = 5;
  Hemorrhage second;
  second.type = HemorrhageType::subdural;
  second.volume_ml = 60;
  second.side = Side::left;
  SliceStack stack = study.stack;
  stack.hu = study.stack.hu.clone();
  const auto painted = paint(stack, study.anatomy, {first, second}, {.seed = 1});
  double darker = 0, rim = 0, blood = 0, subdural = 0;
  const auto extents = stack.geometry.extents_mm();
  for (std::int64_t s = 0; s < stack.geometry.count(); ++s) {
    for (std::size_t i = 0; i < stack.hu.plane(s).size(); ++i) {
      const auto label = painted.truth.labels.plane(s)[i];
      const double ml = 1.2 * 1.2 * extents[std::size_t(s)] / 1000;
      blood += label == 1 ? ml : 0;
      subdural += label == 3 ? ml : 0;
      if (label != oedema_label) continue;
      ++rim;
      darker += study.stack.hu.plane(s)[i] - stack.hu.plane(s)[i];
    }
  }
  CHECK(blood == doctest::Approx(20).epsilon(0.02));
  CHECK(subdural == doctest::Approx(60).epsilon(0.02));
  CHECK(rim > 100);
  CHECK(painted.placed[0].oedema_ml > 2);
  CHECK(darker / rim > 0);
}

TEST_CASE("no head, no anatomy; an anatomy of another stack is refused") {
  const SliceGeometry planes(Geometry::aligned({32, 32, 4}, {4, 4, 5}));
  SliceStack air(planes, Array3<float>(planes.shape(), -1000));
  CHECK_THROWS_AS(anatomy_from_scan(air), Error);
  const auto& study = healthy();
  CHECK_THROWS_AS(paint(air, study.anatomy, {Hemorrhage{}}), Error);
}
