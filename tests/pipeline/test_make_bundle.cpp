#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/pipeline/make_bundle.hpp"

using namespace ichdet;

TEST_CASE("bundles: metrics, parent and split are read as they were written, and weights of 16 bits as float32") {
  const auto folder = std::filesystem::temp_directory_path() / "ichdet-test-make-bundle";
  std::filesystem::remove_all(folder);
  BundleOptions options;
  options.metrics = {{"auc", {{"value", 0.5}, {"interval", {0.4, 0.6}}}}};
  options.parent = BundleIdentity{"before", "3", std::string(64, 'a')};
  options.split_sha256 = std::string(64, 'b');
  options.dtype = DType::bf16;
  make_untrained_bundle(find_recipe("ichdet-classifier"), 1, folder, options);
  const auto bundle = open_bundle(folder);
  CHECK(bundle.spec.metrics == options.metrics);
  REQUIRE(bundle.spec.provenance.parent);
  CHECK(bundle.spec.provenance.parent->name == "before");
  CHECK(bundle.spec.provenance.parent->version == "3");
  CHECK(bundle.spec.provenance.parent->sha256 == options.parent->sha256);
  CHECK(bundle.spec.provenance.split_sha256 == options.split_sha256);
  const auto& stem = bundle.weights.tensors().at("conv_stem.weight");
  CHECK((stem.dtype == DType::bf16));
  CHECK(stem.to_float32().size() == std::size_t(stem.size()));
  CHECK((bundle.weights.tensors().at("bn1.weight").dtype == DType::f32));
  std::filesystem::remove_all(folder);
}
