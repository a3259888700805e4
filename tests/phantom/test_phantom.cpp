#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/phantom/phantom.hpp"

using namespace ichdet;

namespace {

/// A coarse head, quick to make: 1.8 mm pixels, 8 mm slices.
PhantomOptions coarse(std::uint64_t seed = 3) {
  PhantomOptions o;
  o.seed = seed;
  o.rows = o.columns = 128;
  o.pixel_mm = 1.8;
  o.slices = 20;
  o.thickness_mm = 8;
  o.subsamples = 3;
  return o;
}

Hemorrhage blood(HemorrhageType type, double ml, Side side = Side::any, std::string region = {}) {
  Hemorrhage h;
  h.type = type;
  h.volume_ml = ml;
  h.side = side;
  h.region = std::move(region);
  return h;
}

double volume_of_label(const SliceLabels& truth, std::uint8_t label) {
  const auto extents = truth.geometry.extents_mm();
  double ml = 0;
  for (std::int64_t s = 0; s < truth.geometry.count(); ++s) {
    const auto& plane = truth.geometry.planes()[std::size_t(s)];
    for (const auto value : truth.labels.plane(s)) {
      if (value == label) ml += plane.row_spacing_mm * plane.column_spacing_mm * extents[std::size_t(s)] / 1000;
    }
  }
  return ml;
}

/// Mean HU over the pixels for which `where(i)` holds; at least `at_least` of them.
template <class Where>
double mean_hu(const PhantomStudy& study, int at_least, Where&& where) {
  double sum = 0;
  int n = 0;
  for (std::int64_t i = 0; i < study.stack.hu.size(); ++i) {
    if (!where(i)) continue;
    sum += study.stack.hu.data()[i];
    ++n;
  }
  REQUIRE(n >= at_least);
  return sum / n;
}

}  // namespace

TEST_CASE("the same options give the same bytes, on any number of threads; another seed gives another head") {
  PhantomOptions options = coarse();
  options.hemorrhages = {blood(HemorrhageType::intraparenchymal, 20), blood(HemorrhageType::subdural, 30)};
  options.threads = 1;
  const auto one = make_phantom(options);
  const auto again = make_phantom(options);
  options.threads = 3;
  const auto three = make_phantom(options);
  options.seed = 4;
  const auto other = make_phantom(options);
  const auto same = [](const auto& a, const auto& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); };
  CHECK(same(one.stack.hu, again.stack.hu));
  CHECK(same(one.stack.hu, three.stack.hu));
  CHECK(same(one.truth.labels, three.truth.labels));
  CHECK_FALSE(same(one.stack.hu, other.stack.hu));
}

TEST_CASE("tissues have the HU of tissues") {
  PhantomOptions options = coarse();
  options.rows = options.columns = 256;
  options.pixel_mm = 0.9;
  options.slices = 30;
  options.thickness_mm = 5;
  options.hemorrhages = {blood(HemorrhageType::intraparenchymal, 30, Side::left, "basal ganglia")};
  const auto study = make_phantom(options);
  const auto& a = study.anatomy;
  const auto depth = [&](std::int64_t i) { return a.depth_mm.data()[i]; };
  const auto fluid = [&](std::int64_t i) { return a.csf.data()[i] + a.ventricle.data()[i]; };
  const auto label = [&](std::int64_t i) { return study.truth.labels.data()[i]; };

  const double brain = mean_hu(study, 10000, [&](auto i) { return depth(i) > 15 && fluid(i) == 0 && label(i) == 0; });
  CHECK(brain > 28);
  CHECK(brain < 38);
  const double ventricle = mean_hu(study, 200, [&](auto i) { return a.ventricle.data()[i] > 0.99F && label(i) == 0; });
  CHECK(ventricle > 2);
  CHECK(ventricle < 16);
  const double hematoma = mean_hu(study, 2000, [&](auto i) { return label(i) == 1; });
  CHECK(hematoma > 58);
  CHECK(hematoma < 70);
  const double bone = mean_hu(study, 2000, [&](auto i) { return depth(i) < -2 && depth(i) > -4; });
  CHECK(bone > 500);
  CHECK(bone < 1400);
  CHECK(study.stack.hu(15, 0, 0) < -950);

  // Noise: what is left in white matter and ventricle walls aside, near to the asked 3.5 HU.
  double square = 0;
  int n = 0;
  PhantomOptions silent = options;
  silent.noise_hu = 0;
  const auto quiet = make_phantom(silent);
  for (std::int64_t i = 0; i < study.stack.hu.size(); ++i) {
    if (depth(i) < 15) continue;
    square += std::pow(study.stack.hu.data()[i] - quiet.stack.hu.data()[i], 2);
    ++n;
  }
  CHECK(std::sqrt(square / n) == doctest::Approx(3.5).epsilon(0.1));
  for (const float hu : study.stack.hu) {
    if (hu != std::round(hu) || hu < -1024 || hu > 3071) FAIL("not a scanner's value: " << hu);
  }
}

TEST_CASE("volumes are the ones asked for, and each type lies in its own compartment") {
  using enum HemorrhageType;
  struct Case {
    HemorrhageType type;
    double ml;
    Side side;
  };
  for (const auto& c : {Case{intraparenchymal, 25, Side::left}, Case{intraparenchymal, 3, Side::right},
                        Case{intraventricular, 8, Side::any}, Case{subdural, 60, Side::right},
                        Case{epidural, 30, Side::left}, Case{subarachnoid, 12, Side::left}}) {
    for (const std::uint64_t seed : {1, 2}) {
      CAPTURE(to_string(c.type));
      CAPTURE(seed);
      PhantomOptions options = coarse(seed);
      options.hemorrhages = {blood(c.type, c.ml, c.side)};
      const auto study = make_phantom(options);
      const auto label = std::uint8_t(c.type);
      const double ml = volume_of_label(study.truth, label);
      CHECK(std::abs(ml - c.ml) <= std::max(0.05 * c.ml, 0.3));
      CHECK(study.placed.front().volume_ml == doctest::Approx(ml).epsilon(1e-9));

      const auto& a = study.anatomy;
      double deepest = 0, shallowest = 1000, furthest_left = -1000, furthest_right = 1000;
      double least_ventricle = 1, least_csf = 1, mean_depth = 0, taken = 0;
      for (std::int64_t i = 0; i < study.truth.labels.size(); ++i) {
        if (study.truth.labels.data()[i] != label) continue;
        deepest = std::max(deepest, double(a.depth_mm.data()[i]));
        shallowest = std::min(shallowest, double(a.depth_mm.data()[i]));
        furthest_left = std::max(furthest_left, double(a.midline_mm.data()[i]));
        furthest_right = std::min(furthest_right, double(a.midline_mm.data()[i]));
        least_ventricle = std::min(least_ventricle, double(a.ventricle.data()[i]));
        least_csf = std::min(least_csf, double(a.csf.data()[i]));
        mean_depth += a.depth_mm.data()[i];
        ++taken;
      }
      mean_depth /= taken;
      CHECK(shallowest > 0);
      if (c.type == intraparenchymal) CHECK(shallowest >= 1.5);
      if (c.type == intraventricular) CHECK(least_ventricle >= 0.5);
      if (c.type == subarachnoid) CHECK(least_csf >= 0.25);
      if (c.type == subdural) CHECK(deepest < 20);
      if (c.type == epidural) CHECK(deepest < 25);
      if (c.type == subdural || c.type == epidural) {
        CHECK(shallowest < 2);
        CHECK(mean_depth < 9);
      }
      if (c.side == Side::left && study.placed.front().asked.type != subarachnoid) CHECK(furthest_right > 0);
      if (c.side == Side::right) CHECK(furthest_left < 0);
    }
  }
}

TEST_CASE("tilt and variable gaps are kept, and padding is marked") {
  PhantomOptions options = coarse();
  options.tilt_degrees = 18;
  options.offsets_mm = {-40, -36, -32, -20, -5, 10, 25};
  options.thicknesses_mm = {4, 4, 4, 7, 7, 7, 7};
  options.padding_hu = -1500.0F;
  options.hemorrhages = {blood(HemorrhageType::intraparenchymal, 20, Side::left, "basal ganglia")};
  const auto study = make_phantom(options);
  const auto& g = study.stack.geometry;
  CHECK(g.tilt_degrees() == doctest::Approx(18).epsilon(1e-6));
  CHECK(g.offsets_mm().back() == doctest::Approx(65));
  CHECK_FALSE(g.regular().has_value());
  CHECK(g.planes()[3].thickness_mm == 7);
  CHECK(study.stack.hu(0, 0, 0) == -1500);
  CHECK(study.stack.padding(0, 0, 0) == 1);
  CHECK(study.stack.padding(0, 64, 64) == 0);
  CHECK(volume_of_label(study.truth, 1) == doctest::Approx(20).epsilon(0.02));
}

TEST_CASE("what cannot be is refused, by name") {
  const auto refusal = [](const PhantomOptions& options) -> std::string {
    try {
      make_phantom(options);
    } catch (const Error& e) {
      CHECK(e.code() == ErrorCode::options);
      return e.what();
    }
    return "accepted";
  };
  const auto with = [](const Hemorrhage& h) {
    PhantomOptions options = coarse();
    options.hemorrhages = {h};
    return options;
  };
  CHECK(refusal(with(blood(HemorrhageType::intraventricular, 300))).find("room for 300") != std::string::npos);
  CHECK(refusal(with(blood(HemorrhageType::intraparenchymal, 3000))).find("intraparenchymal") != std::string::npos);
  CHECK(refusal(with(blood(HemorrhageType::subdural, -1))).find("volume_ml") != std::string::npos);
  CHECK(refusal(with(blood(HemorrhageType::epidural, 10, Side::left, "pons"))).find("region") != std::string::npos);
  Hemorrhage outside = blood(HemorrhageType::intraparenchymal, 5);
  outside.target_mm = Eigen::Vector3d(400, 0, 0);
  CHECK(refusal(with(outside)).find("target_mm") != std::string::npos);
  PhantomOptions options = coarse();
  options.tilt_degrees = 80;
  CHECK(refusal(options).find("tilt_degrees") != std::string::npos);
  options = coarse();
  options.offsets_mm = {0, 5, 5};
  CHECK(refusal(options).find("offsets_mm") != std::string::npos);
  CHECK_THROWS_AS(hemorrhage_type("stroke"), Error);
  CHECK_THROWS_AS(hemorrhage_side("up"), Error);
  CHECK(hemorrhage_type("sdh") == HemorrhageType::subdural);
}

TEST_CASE("a stop is heeded") {
  std::stop_source source;
  source.request_stop();
  Progress progress;
  progress.stop = source.get_token();
  CHECK_THROWS_AS(make_phantom(coarse(), progress), Error);
}
