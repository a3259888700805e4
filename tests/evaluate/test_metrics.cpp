#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/agreement.hpp"
#include "ichdet/evaluate/bland_altman.hpp"
#include "ichdet/evaluate/bootstrap.hpp"
#include "ichdet/evaluate/calibration.hpp"
#include "ichdet/evaluate/curves.hpp"
#include "ichdet/evaluate/delong.hpp"
#include "ichdet/evaluate/lesion_match.hpp"
#include "ichdet/evaluate/special.hpp"
#include "ichdet/evaluate/surface.hpp"

// Parity with scikit-learn, SciPy, statsmodels and MONAI is in tests/python/test_evaluate*.py; here are answers that
// arithmetic gives.
using namespace ichdet;
using namespace ichdet::evaluate;
using doctest::Approx;

namespace {

const std::vector<std::uint8_t> truth{1, 1, 1, 0, 0, 0, 0};
const std::vector<double> score{0.9, 0.6, 0.4, 0.6, 0.3, 0.2, 0.1};

Mask box(std::int64_t first, std::int64_t last) {
  Mask mask({10, 10, 10});
  for (auto z = first; z < last; ++z) {
    for (auto y = first; y < last; ++y) {
      for (auto x = first; x < last; ++x) mask(z, y, x) = 1;
    }
  }
  return mask;
}

}  // namespace

TEST_CASE("special functions have their closed forms") {
  for (const double x : {0.01, 0.3, 0.5, 0.99}) {
    CHECK(incomplete_beta(1, 7, x) == Approx(1 - std::pow(1 - x, 7)).epsilon(1e-13));
    CHECK(incomplete_beta(5, 1, x) == Approx(std::pow(x, 5)).epsilon(1e-13));
    CHECK(incomplete_beta(0.5, 0.5, x) == Approx(2 / M_PI * std::asin(std::sqrt(x))).epsilon(1e-13));
    CHECK(incomplete_beta_inverse(1, 7, x) == Approx(1 - std::pow(1 - x, 1.0 / 7)).epsilon(1e-12));
    CHECK(normal_cdf(normal_quantile(x)) == Approx(x).epsilon(1e-13));
    CHECK(student_t_quantile(x, 1) == Approx(std::tan(M_PI * (x - 0.5))).epsilon(1e-12));
  }
  CHECK_THROWS_AS(incomplete_beta(1, 1, 1.5), Error);
  CHECK_THROWS_WITH_AS(incomplete_beta(1e16, 1, 0.5),
                       "incomplete beta, a: expected a number above 0, up to 1e15, found 1e+16", Error);
  CHECK(incomplete_beta(1e15, 1e15, 0.5) == Approx(0.5).epsilon(1e-6));
  CHECK_THROWS_AS(incomplete_beta(1e308, 1e308, 0.5), Error);
  CHECK_THROWS_AS(normal_quantile(std::nan("")), Error);
}

TEST_CASE("counts, rates and areas of a small example") {
  const auto counts = confusion_at(truth, score, 0.5);
  CHECK(counts.true_positives == 2);
  CHECK(counts.false_positives == 1);
  CHECK(counts.true_negatives == 3);
  CHECK(counts.false_negatives == 1);
  CHECK(counts.accuracy().value() == 5.0 / 7);
  CHECK(counts.f1() == 2.0 / 3);
  CHECK(std::isnan(Confusion{}.sensitivity().value()));

  const auto ranking = rank(truth, score);
  const auto found = areas(ranking);
  CHECK(found.roc_auc == 10.5 / 12);  // 4 + 3.5 + 3 of 12 pairs
  CHECK(found.average_precision == Approx((1 + 2.0 / 3 + 3.0 / 4) / 3));
  CHECK(found.pr_auc == Approx((1 + (1 + 2.0 / 3) / 2 + (2.0 / 3 + 3.0 / 4) / 2) / 3));
  const auto curve = roc_curve(ranking);
  CHECK(curve.thresholds.size() == 7);
  CHECK(curve.false_positive_rate[2] == 0.25);
  CHECK(curve.true_positive_rate[2] == Approx(2.0 / 3));

  const std::vector<std::uint32_t> none(7, 0), twice(7, 2);
  CHECK(std::isnan(areas(ranking, none).roc_auc));
  CHECK(areas(ranking, twice).roc_auc == found.roc_auc);
  CHECK_THROWS_AS(areas(ranking, std::vector<std::uint32_t>(3, 1)), Error);
}

TEST_CASE("DeLong's covariance is that of the definition") {
  const auto found = delong(truth, {score});
  // Parts of the pairs won: of the positive cases 1, 7/8, 3/4; of the negative ones 1/2 (2 of 3 less half), 1, 1, 1.
  CHECK(found.auc[0] == 10.5 / 12);
  const double positives = (0.125 * 0.125 * 2) / 2 / 3, negatives = (0.375 * 0.375 + 3 * 0.125 * 0.125) / 3 / 4;
  CHECK(found.covariance(0, 0) == Approx(positives + negatives));
  CHECK(delong_test(truth, score, score).p_value == 1);
}

TEST_CASE("the bootstrap draws whole patients, alike on any number of threads") {
  const std::vector<std::int32_t> patient{0, 0, 1, 2, 2, 2, 3};
  std::vector<std::vector<BootstrapInterval>> runs;
  for (const int threads : {1, 3}) {
    BootstrapOptions options;
    options.resamples = 500;
    options.threads = threads;
    runs.push_back(bootstrap(
        patient, 2,
        [&](auto multiplicity, auto values) {
          std::uint32_t drawn = multiplicity[0] + multiplicity[2] + multiplicity[3] + multiplicity[6];
          const bool whole = multiplicity[0] == multiplicity[1] && multiplicity[3] == multiplicity[5];
          values[0] = whole ? drawn : -1;
          values[1] = multiplicity[2] == 0 ? undefined : multiplicity[2];
        },
        options));
  }
  CHECK(runs[0][0].interval.low == 4);
  CHECK(runs[0][0].interval.high == 4);
  CHECK(runs[0][1].degenerate == runs[1][1].degenerate);
  CHECK(runs[0][1].standard_error == runs[1][1].standard_error);
  CHECK(runs[0][1].degenerate == Approx(500 * std::pow(0.75, 4)).epsilon(0.2));
  CHECK_THROWS_AS(bootstrap({}, 1, {}), Error);
}

TEST_CASE("agreement, calibration and differences of small examples") {
  CHECK(mcnemar(1, 5).exact_p == Approx(2 * 7.0 / 64));
  CHECK(mcnemar(2, 8).chi2 == Approx(2.5));
  Eigen::MatrixXd table(2, 2);
  table << 20, 5, 10, 15;
  CHECK(cohen_kappa(table).value == Approx(0.4));
  Eigen::MatrixXd counts(2, 2);
  counts << 3, 0, 0, 3;
  CHECK(fleiss_kappa(counts) == 1);
  const std::vector<std::uint8_t> labels{0, 1};
  const std::vector<double> probabilities{0.2, 0.6};
  const auto found = calibration(labels, probabilities, 2);
  CHECK(found.brier == Approx((0.04 + 0.16) / 2));
  CHECK(found.expected_error == Approx((0.2 + 0.4) / 2));
  CHECK(found.largest_error == Approx(0.4));
  const std::vector<double> a{1, 3, 5}, b{0, 3, 3};
  CHECK(bland_altman(a, b).bias == 1);
  CHECK(bland_altman(a, b).standard_deviation == 1);
}

TEST_CASE("boxes are as far apart as their faces") {
  const auto small = box(3, 6), large = box(2, 7), none = Mask({10, 10, 10});
  CHECK(overlap(small, large).dice() == 2.0 * 27 / (27 + 125));
  const auto distances = surface_distances(small, large, {0.5, 0.5, 2});
  CHECK(distances.from_predicted_mm.size() == 26);
  CHECK(distances.from_truth_mm.size() == 98);
  CHECK(hausdorff_mm(distances, 100) == Approx(std::sqrt(0.25 + 0.25 + 4)));
  CHECK(surface_dice(distances, 0.1) == 0);
  CHECK(surface_dice(surface_distances(small, small, {1, 1, 1}), 0) == 1);
  CHECK(std::isinf(hausdorff_mm(surface_distances(small, none, {1, 1, 1}))));
  CHECK(std::isnan(hausdorff_mm(surface_distances(none, none, {1, 1, 1}))));
  const auto match = match_lesions(small, large);
  CHECK(match.sensitivity().value() == 1);
  CHECK(match.truth[0].covered == 27);
  CHECK(match_lesions(small, large, {}, {0.5, 1}).sensitivity().value() == 0);
  CHECK(match_lesions(small, large, {}, {0, 28}).precision().trials == 0);
}
