#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <doctest/doctest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "ichdet/attribution/grad_cam.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/train/losses.hpp"
#include "ichdet/train/optimizer.hpp"

using namespace ichdet::train;

namespace {

at::Tensor two_by_two() {
  return at::tensor({2.0, -1.0, 0.5, 0.0, -1.0, 3.0, 1.0, 0.0}).reshape({1, 2, 2, 2}).to(at::kFloat);
}

double value(const at::Tensor& loss) { return loss.item<double>(); }

/// P(class 1) of a pixel of two_by_two().
double p(double background, double blood) { return 1 / (1 + std::exp(background - blood)); }

}  // namespace

TEST_CASE("Cross entropy is PyTorch's, with weights, and passes over what is not known") {
  const auto logits = at::randn({3, 4, 5, 6});
  const auto classes = at::randint(0, 4, {3, 5, 6}, at::kLong);
  CHECK(value(cross_entropy(logits, classes)) == doctest::Approx(value(at::cross_entropy_loss(logits, classes))));
  const std::vector<double> weights{1, 2, 0.5, 3};
  const auto tensor = at::tensor(weights, at::kFloat);
  CHECK(value(cross_entropy(logits, classes, weights)) ==
        doctest::Approx(value(at::cross_entropy_loss(logits, classes, tensor))));
  CHECK(value(cross_entropy(logits, classes, {}, 0.1)) ==
        doctest::Approx(value(at::cross_entropy_loss(logits, classes, {}, at::Reduction::Mean, -100, 0.1))));

  auto partly = classes.clone();
  partly.select(0, 0).fill_(255);
  CHECK(value(cross_entropy(logits, partly.to(at::kByte))) ==
        doctest::Approx(value(at::cross_entropy_loss(logits.narrow(0, 1, 2), classes.narrow(0, 1, 2)))));
  CHECK(value(cross_entropy(logits, at::full({3, 5, 6}, 255, at::kByte))) == 0);
}

TEST_CASE("Dice and Tversky by hand") {
  const auto logits = two_by_two();
  const auto truth = at::tensor({0, 1, 1, 255}, at::kLong).reshape({1, 2, 2}).to(at::kByte);
  const double a = p(2, -1), b = p(-1, 3), c = p(0.5, 1);
  OverlapOptions options;
  options.smooth = 0;
  CHECK(value(dice(logits, truth, options)) == doctest::Approx(1 - 2 * (b + c) / (a + b + c + 2)));
  const double both = b + c, wrong = 0.3 * a + 0.7 * (2 - both);
  CHECK(value(tversky(logits, truth, 0.3, 0.7, options)) == doctest::Approx(1 - both / (both + wrong)));
  options.background = true;
  const double background = 1 - 2 * (1 - a) / (1 - a + 1 - b + 1 - c + 1);
  CHECK(value(dice(logits, truth, options)) == doctest::Approx((background + 1 - 2 * (b + c) / (a + b + c + 2)) / 2));
}

TEST_CASE("Focal loss without focus is cross entropy; with it, sure answers count little") {
  const auto logits = two_by_two();
  const auto truth = at::tensor({0, 1, 1, 0}, at::kLong).reshape({1, 2, 2});
  CHECK(value(focal(logits, truth, 0)) == doctest::Approx(value(cross_entropy(logits, truth))));
  const double q[] = {1 - p(2, -1), p(-1, 3), p(0.5, 1), 1 - p(0, 0)};
  double sum = 0;
  for (const double one : q) sum -= (1 - one) * (1 - one) * std::log(one) / 4;
  CHECK(value(focal(logits, truth, 2)) == doctest::Approx(sum));
}

TEST_CASE("Binary cross entropy passes over unknown labels") {
  const auto logits = at::tensor({0.3, -1.0, 2.0}).reshape({1, 3}).to(at::kFloat);
  const auto truth = at::tensor({1.0, std::nan(""), 0.0}).reshape({1, 3}).to(at::kFloat);
  const double expected = (std::log1p(std::exp(-0.3)) + std::log1p(std::exp(2.0))) / 2;
  CHECK(value(ichdet::train::binary_cross_entropy(logits, truth)) == doctest::Approx(expected));
}

namespace {

/// A network of two layers in double, and an image.
struct Small {
  at::Tensor kernel = at::randn({3, 1, 3, 3}, at::kDouble), weights = at::randn({2, 3}, at::kDouble);
  at::Tensor image = at::randn({2, 1, 8, 8}, at::kDouble);

  at::Tensor features() const { return at::tanh(at::conv2d(image, kernel, {}, 1, 1)); }
  at::Tensor head(const at::Tensor& features) const { return (features * features).mean({2, 3}).matmul(weights.t()); }
  /// The localisation loss of class 1, as a training takes it.
  at::Tensor loss(const at::Tensor& mask) const {
    const auto seen = features();
    const auto [output, gradient] = ichdet::attribution::head_gradient([&](const at::Tensor& f) { return head(f); },
                                                                       seen, ichdet::attribution::class_score(1), true);
    return localisation(ichdet::attribution::unscaled_map(seen, gradient), mask);
  }
};

at::Tensor corner_mask(std::int64_t images) {
  const auto mask = at::zeros({images, 16, 16}, at::kByte);
  mask.narrow(1, 2, 7).narrow(2, 3, 6).fill_(1);
  return mask;
}

}  // namespace

TEST_CASE("S3's localisation loss is 1 - Dice of Grad-CAM over its largest value") {
  at::manual_seed(3);
  Small net;
  net.kernel.requires_grad_();
  const auto mask = corner_mask(2);
  const auto seen = net.features();
  const auto score = net.head(seen).select(1, 1);
  const auto gradient = torch::autograd::grad({score.sum()}, {seen}, {}, true, true)[0];
  const auto map = at::relu((gradient.mean({2, 3}, true) * seen).sum(1));
  const auto scaled = at::upsample_bilinear2d((map / map.amax({1, 2}, true)).unsqueeze(1), {16, 16}, false).flatten(1);
  const auto blood = mask.to(at::kDouble).flatten(1);
  const auto expected = (1 - (2 * (scaled * blood).sum(1) + 1) / (scaled.sum(1) + blood.sum(1) + 1)).mean();
  const auto found = net.loss(mask);
  CHECK(value(found) == doctest::Approx(value(expected)).epsilon(1e-12));
  const auto of = [&](const at::Tensor& loss) { return torch::autograd::grad({loss}, {net.kernel}, {}, true)[0]; };
  CHECK(at::allclose(of(found), of(expected), 1e-9, 1e-12));
}

TEST_CASE("S3's localisation loss has the gradient of finite differences, in features and head") {
  at::manual_seed(4);
  Small net;
  const auto mask = corner_mask(2);
  for (auto* parameter : {&net.kernel, &net.weights}) {
    auto& values = *parameter;
    values.requires_grad_();
    const auto gradient = torch::autograd::grad({net.loss(mask)}, {values})[0];
    values = values.detach();
    const double step = 1e-6;
    for (std::int64_t i = 0; i < values.numel(); ++i) {
      const auto at_offset = [&](double offset) {
        const auto was = values;
        values = was.clone();
        values.view(-1)[i] += offset;
        const double loss = value(net.loss(mask));
        values = was;
        return loss;
      };
      const double expected = (at_offset(step) - at_offset(-step)) / (2 * step);
      CHECK(gradient.view(-1)[i].item<double>() == doctest::Approx(expected).epsilon(1e-5));
    }
  }
}

TEST_CASE("S3's localisation loss is small where the map covers the blood, and 0 where there is none") {
  const auto mask = at::zeros({1, 8, 8}, at::kByte);
  mask.narrow(1, 0, 4).narrow(2, 0, 4).fill_(1);
  const auto of = [&](std::int64_t row) {
    const auto map = at::full({1, 4, 4}, -3.0F);
    map.narrow(1, row, 2).narrow(2, 0, 2).fill_(0.2);
    return value(localisation(map.to(at::kFloat), mask));
  };
  CHECK(of(0) < 0.25);
  CHECK(of(2) > 0.75);
  CHECK(value(localisation(at::rand({1, 4, 4}), at::zeros({1, 8, 8}, at::kByte))) == 0);
}

TEST_CASE("Deep supervision weighs heads; the truth follows their size") {
  const auto fine = at::randn({2, 2, 8, 8}), coarse = at::randn({2, 2, 4, 4});
  const auto truth = at::randint(0, 2, {2, 8, 8}, at::kByte);
  LossSpec spec;
  spec.deep_supervision = {3, 1};
  const auto small = truth.slice(1, 0, 8, 2).slice(2, 0, 8, 2);
  CHECK(value(deep_loss(spec, {fine, coarse}, truth)) ==
        doctest::Approx(0.75 * value(cross_entropy(fine, truth)) + 0.25 * value(cross_entropy(coarse, small))));
}

TEST_CASE("Schedules") {
  ScheduleSpec spec;
  spec.kind = ScheduleSpec::Kind::polynomial;
  CHECK(schedule_factor(spec, 0, 1000, 1) == 1);
  CHECK(schedule_factor(spec, 500, 1000, 1) == doctest::Approx(std::pow(0.5, 0.9)));
  spec.kind = ScheduleSpec::Kind::step;
  CHECK(schedule_factor(spec, 39, 1000, 10) == doctest::Approx(0.6));
  CHECK(schedule_factor(spec, 40, 1000, 10) == doctest::Approx(0.36));
  spec.kind = ScheduleSpec::Kind::cosine;
  spec.warm_up = 10;
  CHECK(schedule_factor(spec, 0, 1000, 1) == doctest::Approx(0.1));
  CHECK(schedule_factor(spec, 1000, 1000, 1) == doctest::Approx(0));
}

TEST_CASE("What a recipe says of training is checked") {
  using nlohmann::json;
  CHECK_THROWS_WITH_AS(loss_spec(json{{"name", "dice"}, {"gamma", 2}}, "r"), doctest::Contains("/loss/gamma"),
                       ichdet::Error);
  CHECK_THROWS_WITH_AS(optimizer_spec(json{{"name", "adamw"}, {"learning_rate", 0.1}, {"momentum", 0.9}}, "r"),
                       doctest::Contains("/optimizer/momentum"), ichdet::Error);
  CHECK_THROWS_WITH_AS(schedule_spec(json{{"name", "exponential"}}, "r"), doctest::Contains("/schedule/name"),
                       ichdet::Error);
}
