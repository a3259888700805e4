#include <doctest/doctest.h>

#include <cstring>
#include <fstream>
#include <functional>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/sha256.hpp"
#include "ichdet/core/error.hpp"

using namespace ichdet;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

fs::path scratch() {
  const auto folder = fs::path(ICHDET_BINARY_DIR) / "tests" / "bundle_scratch";
  fs::create_directories(folder);
  return folder;
}

void write(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

std::string file_of(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  return text + header + data;
}

std::string message(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    return std::string(to_string(e.code())) + ": " + e.what();
  }
  return "no error";
}

json good_spec(const std::string& weights_sha256) {
  return {{"schema", 1},
          {"name", "tiny"},
          {"version", "1"},
          {"architecture", {{"name", "DeepMedic"}, {"options", json::object()}}},
          {"input",
           {{"spacing_mm", {1, 1, 1}},
            {"orientation", "LPS"},
            {"channels", {{{"clip_hu", {-15, 100}}, {"scale_to", {-1, 1}}}}}}},
          {"classes", {{{"name", "background"}, {"blood", false}}, {{"name", "IPH"}, {"blood", true}}}},
          {"patch", {{"input", {140, 140, 140}}, {"output", {60, 60, 60}}, {"step", 15}, {"padding", "edge"}}},
          {"thresholds", json::object()},
          {"calibration", nullptr},
          {"provenance",
           {{"source", "s"}, {"authors", "a"}, {"citation", "c"}, {"converted_by", "t"}, {"files", json::object()}}},
          {"licence", {{"spdx", "Apache-2.0"}, {"file", "LICENSE"}}},
          {"not_for_clinical_use", true},
          {"training_data", ""},
          {"metrics", json::object()},
          {"weights", {{"file", "w.safetensors"}, {"sha256", weights_sha256}}}};
}

json good_classifier() {
  auto spec = good_spec(std::string(64, '0'));
  spec["task"] = "slice classification";
  spec["input"] = {{"size", {512, 512}},
                   {"fit", "resize"},
                   {"levels", "truncate"},
                   {"orientation", "LPS"},
                   {"channels", {{{"clip_hu", {0, 80}}, {"mean", 0.5}, {"std", 0.25}, {"slice", -1}}}}};
  spec.erase("patch");
  spec["output"] = {{"activation", "softmax"}};
  spec["decision"] = {{"rule", "percent"}, {"percent", 7.5}, {"slice_threshold", 0.8}};
  return spec;
}

}  // namespace

TEST_CASE("safetensors: values, types and denormals") {
  const auto file = scratch() / "values.safetensors";
  std::string data(20, '\0');
  const float f32[] = {1.5f, 1e-40f};
  const std::uint16_t f16[] = {0x3e00, 0x0001, 0xfc00}, bf16[] = {0x3fc0, 0x0001};
  std::memcpy(data.data(), f32, 8);
  std::memcpy(data.data() + 8, f16, 6);
  std::memcpy(data.data() + 14, bf16, 4);
  data.resize(18);
  write(file, file_of(R"({"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
                      R"("b":{"dtype":"F16","shape":[3],"data_offsets":[8,14]},)"
                      R"("c":{"dtype":"BF16","shape":[2],"data_offsets":[14,18]},)"
                      R"("d":{"dtype":"F32","shape":[0,7],"data_offsets":[18,18]},"__metadata__":{"k":"v"}})",
                      data));
  const SafeTensors opened(file);
  CHECK(opened.metadata().at("k") == "v");
  CHECK(opened.tensors().size() == 4);
  CHECK(opened.tensors().at("a").shape == std::vector<std::int64_t>{1, 2});
  CHECK(opened.tensors().at("a").to_float32() == std::vector<float>{1.5f, 0.f});
  const auto half = opened.tensors().at("b").to_float32();
  CHECK(half[0] == 1.5f);
  CHECK(half[1] == doctest::Approx(5.960464e-08));
  CHECK(std::isinf(half[2]));
  CHECK(opened.tensors().at("c").to_float32() == std::vector<float>{1.5f, 0.f});
  CHECK(opened.tensors().at("d").to_float32().empty());
}

TEST_CASE("safetensors: hostile files are refused") {
  const auto file = scratch() / "hostile.safetensors";
  const auto refusal = [&](const std::string& header, std::size_t bytes) {
    write(file, file_of(header, std::string(bytes, 'x')));
    return message([&] { SafeTensors{file}; });
  };
  const auto contains = [](const std::string& text, const std::string& part) {
    INFO(text);
    CHECK(text.starts_with("weights: "));
    CHECK(text.find(part) != std::string::npos);
  };
  const std::string a4 = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  contains(refusal("{" + a4 + "," + a4 + "}", 4), "tensor a: named twice");
  contains(refusal("{" + a4 + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})", 6), "tensor b: overlaps");
  contains(refusal("{" + a4 + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[6,10]}})", 10),
           "tensor b: follows a hole");
  contains(refusal("{" + a4 + "}", 5), "belong to no tensor");
  contains(refusal("{" + a4 + "}", 3), "tensor a: bytes 0 to 4 leave");
  contains(refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4), "expected 8 bytes");
  contains(refusal(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,4]}})", 4), "overflows");
  contains(refusal(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4), "non-negative");
  contains(refusal(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551615,4]}})", 4), "leave");
  contains(refusal(R"({"a":{"dtype":"Q9","shape":[1],"data_offsets":[0,4]}})", 4), "unknown type Q9");
  contains(refusal(R"({"a":[[[[[[1]]]]]]})", 0), "nested");
  contains(refusal(R"({"a":)", 0), "header");
  contains(refusal(R"([1])", 0), "expected a JSON object");
  contains(refusal(std::string(200000, '['), 0), "nested");
  write(file, "abc");
  contains(message([&] { SafeTensors{file}; }), "found 3 bytes");
  write(file, std::string(8, '\xff') + "{}");
  contains(message([&] { SafeTensors{file}; }), "announced");
  CHECK(message([] { SafeTensors{"/no/such/file"}; }).starts_with("io: "));
}

TEST_CASE("bundle: opened, identified, and refused where it is not what it says") {
  const auto folder = scratch() / "tiny";
  fs::remove_all(folder);
  fs::create_directories(folder);
  const std::string weights = file_of("{}", "");
  write(folder / "w.safetensors", weights);
  write(folder / "LICENSE", "text");
  const auto hash = sha256(std::as_bytes(std::span(weights)));
  const auto opened = [&](const json& spec) {
    write(folder / "bundle.json", spec.dump());
    return message([&] { open_bundle(folder); });
  };
  const auto spec = good_spec(hash);
  REQUIRE(opened(spec) == "no error");
  const auto bundle = open_bundle(folder);
  CHECK(bundle.identity().name == "tiny");
  CHECK(bundle.identity().sha256 == sha256_of_file(folder / "bundle.json"));
  CHECK(bundle.spec.classes[1].blood);
  CHECK(bundle.spec.channels[0].low_hu == -15);

  const auto with = [&](const std::string& pointer, const json& value) {
    auto changed = spec;
    changed[json::json_pointer(pointer)] = value;
    return opened(changed);
  };
  const auto contains = [](const std::string& text, const std::string& part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  };
  contains(with("/schema", 2), "/schema: expected 1");
  contains(with("/input/spacing_mm/1", -1), "/input/spacing_mm/1: expected a spacing above 0, found -1");
  contains(with("/classes/1/name", "background"), "/classes/1/name");
  contains(with("/classes/0/blood", true), "/classes/0/blood");
  contains(with("/patch/output/0", 50), "/patch/output/0: expected a multiple of step, found 50");
  contains(with("/weights/file", "../w.safetensors"), "/weights/file");
  contains(with("/weights/sha256", std::string(64, '0')), "SHA-256: expected 0000");
  contains(with("/surprise", 1), "/surprise: unknown key");
  contains(with("/licence/file", "NONE"), "/licence/file: NONE is not in the bundle");
  auto missing = spec;
  missing["input"].erase("channels");
  contains(opened(missing), "/input/channels: is missing");
  contains(message([] { open_bundle("/no/such/bundle"); }), "weights: ");
}

TEST_CASE("spec: a segmenter's input, patch and procedure") {
  auto good = good_spec(std::string(64, '0'));
  const auto plain = parse_spec(good, "x");
  CHECK(plain.axes == AxisOrder::zyx);
  CHECK(plain.channels[0].mean == 0);
  CHECK(plain.channels[0].std == 1);
  CHECK(plain.patch.padding == Padding::edge);
  CHECK(plain.patch.overlap == 0);
  CHECK(plain.patch.blending == Blending::constant);
  CHECK(plain.patch.places == PatchPlaces::monai);
  CHECK(plain.procedure == ProcedureSpec{});
  CHECK(plain.procedure.views == std::vector<View>{View{}});

  good["input"]["orientation"] = "RPI";
  good["input"]["axes"] = "xyz";
  good["input"]["channels"][0] = {{"clip_hu", {-10, 90}}, {"scale_to", {-10, 90}}, {"mean", 31.5}, {"std", 12}};
  good["patch"] = {{"input", {32, 160, 160}}, {"output", {32, 160, 160}}, {"step", 0},
                   {"padding", "zero"},       {"overlap", 0.5},           {"blending", "nnunet gaussian"}};
  good["procedure"] = {
      {"crop", "foreground"},
      {"test_time",
       {json::object(),
        {{"flip", {"x", "z"}}},
        {{"rotate90", {{"plane", "yx"}, {"quarter_turns", 3}}}, {"scale", 1.25}}}},
      {"merge", "logits"},
      {"inversion", "probabilities"},
      {"rescue",
       {{"below_ml", 0.1}, {"patch", {32, 96, 96}}, {"overlap", 0.25}, {"flips", {{"x"}, {"y"}}}, {"vote", "union"}}}};
  const auto spec = parse_spec(good, "x");
  CHECK(spec.orientation == "RPI");
  CHECK(spec.axes == AxisOrder::xyz);
  CHECK(spec.channels[0].mean == 31.5);
  CHECK(spec.channels[0].std == 12);
  CHECK(spec.patch.padding == Padding::zero);
  CHECK(spec.patch.overlap == 0.5);
  CHECK(spec.patch.blending == Blending::nnunet_gaussian);
  CHECK(spec.patch.places == PatchPlaces::nnunet);
  CHECK(spec.procedure.crop == ProcedureSpec::Crop::foreground);
  CHECK(spec.procedure.merge == ProcedureSpec::Merge::logits);
  CHECK(spec.procedure.inversion == ProcedureSpec::Inversion::probabilities);
  REQUIRE(spec.procedure.views.size() == 3);
  CHECK(spec.procedure.views[0] == View{});
  CHECK(spec.procedure.views[1].flip == std::array{true, false, true});
  CHECK(spec.procedure.views[2].rotate90.plane == std::array<std::size_t, 2>{1, 2});
  CHECK(spec.procedure.views[2].rotate90.turns == 3);
  CHECK(spec.procedure.views[2].scale == 1.25);
  REQUIRE(spec.procedure.rescue);
  CHECK(spec.procedure.rescue->patch == std::array<std::int64_t, 3>{32, 96, 96});
  CHECK(spec.procedure.rescue->below_ml == 0.1);
  CHECK(spec.procedure.rescue->views[1].flip == std::array{false, true, false});

  const auto refused = [&](const std::string& pointer, const json& value, const std::string& part) {
    auto changed = good;
    changed[json::json_pointer(pointer)] = value;
    const auto text = message([&] { parse_spec(changed, "x"); });
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  };
  refused("/input/orientation", "LRS", "/input/orientation: expected three letters");
  refused("/input/orientation", "SPL", "/input/orientation: expected three letters");
  refused("/input/axes", "yxz", "/input/axes: expected one of zyx, xyz");
  refused("/input/channels/0/std", 0, "/input/channels/0/std: expected a number between");
  refused("/patch/padding", "mirror", "/patch/padding: expected one of edge, zero");
  refused("/patch/overlap", 1, "/patch/overlap: expected 0 or more, below 1");
  refused("/patch/blending", "gaussian", "/patch/blending: expected one of constant, monai gaussian");
  refused("/patch/output", {31, 160, 160}, "/patch/input: expected as large as output or larger by an even");
  refused("/procedure/crop", "head", "/procedure/crop: expected one of none, foreground");
  refused("/procedure/test_time", json::array(), "/procedure/test_time: expected a list of at least 1");
  refused("/procedure/test_time/1/flip/0", "w", "/procedure/test_time/1/flip/0: expected one of x, y, z");
  refused("/procedure/test_time/2/rotate90/quarter_turns", 4, "an integer from 0 to 3");
  refused("/procedure/merge", "votes", "/procedure/merge: expected one of logits, probabilities");
  refused("/procedure/rescue/vote", "majority", "/procedure/rescue/vote: expected \"union\"");
  refused("/procedure/surprise", 1, "/procedure/surprise: unknown key");
}

TEST_CASE("spec: a classifier's input, output and decision") {
  const auto good = good_classifier();
  const auto spec = parse_spec(good, "x");
  CHECK(spec.task == Task::slice_classification);
  CHECK(!spec.untrained);
  CHECK(spec.image.size == std::array<std::int64_t, 2>{512, 512});
  CHECK(spec.image.fit == ImageSpec::Fit::resize);
  CHECK(spec.image.levels == Rounding::truncate);
  CHECK(spec.channels[0].high_hu == 80);
  CHECK(spec.channels[0].std == 0.25);
  CHECK(spec.channels[0].slice == -1);
  CHECK(spec.activation == Activation::softmax);
  CHECK(spec.rule.kind == CaseRuleKind::percent);
  CHECK(spec.rule.percent == 7.5);
  CHECK(spec.rule.slice_threshold == 0.8);
  CHECK_NOTHROW(require_task(spec, Task::slice_classification));
  CHECK_THROWS_WITH_AS(
      require_task(spec, Task::segmentation),
      "tiny: expected a bundle for segmentation, found one for slice classification (`ichdet classify`)", Error);

  const auto refused = [&](const std::string& pointer, const json& value, const std::string& part) {
    auto changed = good;
    changed[json::json_pointer(pointer)] = value;
    const auto text = message([&] { parse_spec(changed, "x"); });
    INFO(text);
    CHECK(text.starts_with("weights: x: "));
    CHECK(text.find(part) != std::string::npos);
  };
  refused("/task", "reading minds", "/task: expected one of segmentation, slice classification");
  refused("/task", "segmentation", "unknown key");
  refused("/patch", 1, "/patch: unknown key");
  refused("/input/size", {512}, "/input/size: expected a list of at least 2");
  refused("/input/fit", "stretch", "/input/fit: expected one of resize, crop");
  refused("/input/spacing_mm", 1, "/input/spacing_mm: expected none");
  refused("/input/levels", 256, "/input/levels: expected one of truncate, nearest, float");
  refused("/input/exam_slices", 25, "/input/exam_slices: unknown key");
  refused("/input/channels/0/clip_hu", {80, 0}, "/input/channels/0/clip_hu: expected [low, high]");
  refused("/input/channels/0/std", 0, "/input/channels/0/std: expected a number between");
  refused("/classes/1/blood", false, "/classes: expected a class with");
  refused("/output/activation", "tanh", "/output/activation: expected one of softmax, sigmoid");
  refused("/decision/rule", "vote", "/decision/rule: expected one of percent");
  refused("/decision/percent", 0, "percent: expected above 0");
  refused("/decision/top", 3, "/decision/top: unknown key");
  refused("/decision/slice_threshold", 1, "/decision/slice_threshold: expected a number between");

  auto other = good;
  other["decision"] = {{"rule", "logistic"},
                       {"slice_threshold", 0.5},
                       {"case_threshold", 0.3},
                       {"intercept", -1.5},
                       {"weights", {1, 2, 3, 4}}};
  CHECK(parse_spec(other, "x").rule.logistic.weights == std::vector<double>{1, 2, 3, 4});
  CHECK(parse_spec(other, "x").rule.case_threshold == 0.3);
  other["task"] = "exam classification";
  other["input"]["exam_slices"] = 25;
  other["decision"] = {{"case_threshold", 0.4}};
  other["untrained"] = true;
  CHECK(parse_spec(other, "x").image.exam_slices == 25);
  CHECK(parse_spec(other, "x").rule.threshold() == 0.4);
  CHECK(parse_spec(other, "x").untrained);
}
