#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <doctest/doctest.h>

#include "ichdet/core/error.hpp"
#include "ichdet/train/training_spec.hpp"
#include "io/synthetic.hpp"
#include "train/validation.hpp"

using namespace ichdet;
using namespace ichdet::train;

namespace {

constexpr float other_hu = 10, blood_hu = 70, oedema_hu = 40;

/// Background, blood and oedema, as the HU are.
class Oracle : public Network {
 public:
  Oracle() { register_parameter("none", at::zeros(1)); }
  at::Tensor forward_features(const at::Tensor& x) override { return x; }
  at::Tensor forward_head(const at::Tensor& x) override {
    const auto hu = x.select(1, 0);
    return at::stack({hu.lt(0.3), hu.gt(0.7), hu.ge(0.3).logical_and(hu.le(0.7))}, 1).to(at::kFloat) * 20;
  }
};

ModelSpec model() {
  ModelSpec spec;
  spec.task = Task::slice_segmentation;
  spec.classes = {{"other", false}, {"blood", true}, {"oedema", false}};
  spec.image.size = {24, 20};
  ChannelSpec channel;
  channel.high_hu = 80;
  spec.channels = {channel};
  return spec;
}

/// Four slices: blood, oedema, both, none; `shown` says which of the first three are there.
std::vector<TrainingStudy> study(std::array<bool, 3> shown = {true, true, true}) {
  const auto geometry = test::tilted_stack(4).geometry;
  Array3<float> hu(geometry.shape(), other_hu);
  Array3<std::uint8_t> mask(geometry.shape());
  const auto paint = [&](std::int64_t z, std::int64_t y, float value, std::uint8_t label) {
    for (std::int64_t x = 4; x < 12; ++x) hu(z, y, x) = value, mask(z, y, x) = label;
  };
  if (shown[0]) paint(0, 5, blood_hu, 1);
  if (shown[1]) paint(1, 9, oedema_hu, 2);
  if (shown[2]) paint(2, 5, blood_hu, 1), paint(2, 6, oedema_hu, 2);
  return {{.study = "s",
           .patient = "s",
           .split = "select",
           .group = "test",
           .geometry = geometry,
           .hu = CompactHu(hu),
           .mask = mask,
           .label_names = {"any"},
           .labels = {{float(shown[0])}, {0}, {float(shown[2])}, {0}},
           .study_labels = {1},
           .anatomy = {},
           .assumptions = {},
           .contradictions = {},
           .content = {}}};
}

TrainingSpec training(const nlohmann::json& validate = {{"split", "select"}}) {
  return parse_training({{"steps", 1},
                         {"optimizer", {{"name", "adam"}, {"learning_rate", 0.1}}},
                         {"loss", {{"name", "cross entropy"}}},
                         {"validate", validate}},
                        model(), "test");
}

}  // namespace

TEST_CASE("Oedema is no blood: a network that finds both is faultless") {
  const auto studies = study();
  Oracle network;
  network.eval();
  const at::NoGradGuard no_grad;
  const auto score = make_validation(studies, model(), training(), 1)(network, {});
  CHECK(score.values.at("validation/dice") == doctest::Approx(1));
  CHECK(score.values.at("validation/auc") == doctest::Approx(1));
}

TEST_CASE("A split that cannot show what the weights are chosen by is refused before anything is trained") {
  CHECK_NOTHROW(make_validation(study(), model(), training(), 1));
  const auto refused = [](std::array<bool, 3> shown, const char* words, const nlohmann::json& score) {
    const auto studies = study(shown);
    const auto spec = training({{"split", "select"}, {"score", score}});
    CHECK_THROWS_WITH_AS(make_validation(studies, model(), spec, 1), doctest::Contains(words), Error);
  };
  refused({false, true, false}, "slices with and without blood in the split \"select\", found 0 with, 4 without",
          {"validation/auc"});
  refused({false, true, false}, "slices with blood in the split", {"validation/dice"});
  CHECK_THROWS_WITH_AS(training({{"score", {"validation/AUC"}}}), doctest::Contains("one of validation/auc"), Error);
  CHECK_THROWS_WITH_AS(training({{"score", {"painted/auc"}}}), doctest::Contains("/training/validate/score"), Error);
  CHECK_NOTHROW(training({{"score", {"painted/auc"}}, {"painted", 20}}));
}
