// The stages in C++, by Google Benchmark, on one thread: bench_stages [--benchmark_filter=...]
// [--benchmark_format=json]
#include <benchmark/benchmark.h>

#include <filesystem>
#include <numeric>
#include <random>

#include "ichdet/aggregate/case_rules.hpp"
#include "ichdet/aggregate/lesions.hpp"
#include "ichdet/aggregate/slices.hpp"
#include "ichdet/evaluate/bootstrap.hpp"
#include "ichdet/evaluate/curves.hpp"
#include "ichdet/evaluate/delong.hpp"
#include "ichdet/io/dicom.hpp"
#include "ichdet/io/dicom_write.hpp"
#include "ichdet/phantom/phantom.hpp"
#include "ichdet/preprocess/grid.hpp"
#include "ichdet/preprocess/masks.hpp"
#include "ichdet/preprocess/resample.hpp"
#include "ichdet/preprocess/window.hpp"
#include "ichdet/report/overlay.hpp"

using namespace ichdet;

namespace {

/// A head of 32 slices of 512 x 512 with 25 mL of blood, and what a model would say of it.
struct Scan {
  PhantomStudy study;
  Volume volume;  ///< at 1 mm
  Array3<float> blood;
  StudyResult result;
};

const Scan& scan() {
  static const Scan made = [] {
    PhantomOptions options;
    options.hemorrhages.emplace_back().volume_ml = 25;
    options.subsamples = 1;
    auto study = make_phantom(options);
    const auto& shape = study.truth.labels.shape();
    Array3<float> blood(shape);
    for (std::int64_t i = 0; i < blood.size(); ++i) blood.data()[i] = study.truth.labels.data()[i] > 0 ? 0.9f : 0.02f;
    StudyResult result;
    result.slices = slice_scores(blood, study.stack.geometry);
    result.lesions = lesions(study.truth, blood);
    result.volumes_ml = volumes_ml(study.truth);
    result.decision = decide_by_highest_slice(result.slices);
    auto volume = resample_to(study.stack, segmentation_grid(study.stack.geometry, {1, 1, 1}), {.threads = 1});
    return Scan{std::move(study), std::move(volume), std::move(blood), std::move(result)};
  }();
  return made;
}

/// Cases with scores that know something, 30 slices to a patient.
struct Scores {
  std::vector<std::uint8_t> truth;
  std::vector<double> first, second;
  std::vector<std::int32_t> patient;
};

const Scores& scores() {
  static const Scores made = [] {
    Scores s;
    std::mt19937_64 generator(1);
    std::normal_distribution<double> normal;
    for (int i = 0; i < 100'000; ++i) {
      const bool positive = generator() % 10 < 3;
      s.truth.push_back(positive);
      s.first.push_back(normal(generator) + positive);
      s.second.push_back(s.first.back() + normal(generator));
      s.patient.push_back(i / 30);
    }
    return s;
  }();
  return made;
}

void dicom_to_hu(benchmark::State& state) {
  const auto folder = std::filesystem::temp_directory_path() / "ichdet-bench-stages";
  const auto files = io::write_series(scan().study.stack, folder);
  for (auto _ : state) benchmark::DoNotOptimize(io::read_dicom(files, {.threads = 1}));
  state.SetItemsProcessed(state.iterations() * std::int64_t(files.size()));
  std::filesystem::remove_all(folder);
}

void windows(benchmark::State& state) {
  const auto& hu = scan().study.stack.hu;
  const std::array three{Window{0, 80}, Window{-20, 180}, Window{-150, 230}};
  auto out = window_channels(hu, three);
  for (auto _ : state) window_channels_into(hu, three, out);
  state.SetBytesProcessed(state.iterations() * hu.size() * 4 * 4);
}

void resample(benchmark::State& state) {
  const auto& stack = scan().study.stack;
  const auto grid = segmentation_grid(stack.geometry, {1, 1, 1});
  for (auto _ : state) benchmark::DoNotOptimize(resample_to(stack, grid, {.threads = 1}));
  state.SetBytesProcessed(state.iterations() * (stack.hu.size() + scan().volume.hu.size()) * 4);
}

void head(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(head_mask(scan().volume, {.threads = 1}));
}

void brain(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(brain_mask(scan().volume, {.threads = 1}));
}

void lesion_list(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(lesions(scan().study.truth, scan().blood));
}

void n_percent_rule(benchmark::State& state) {
  constexpr std::int64_t studies = 10'000, slices = 32;
  std::mt19937_64 generator(2);
  std::uniform_real_distribution<double> uniform;
  std::vector<double> probabilities(studies * slices);
  for (auto& p : probabilities) p = uniform(generator);
  std::vector<std::int64_t> offsets(studies + 1);
  for (std::int64_t i = 0; i <= studies; ++i) offsets[std::size_t(i)] = i * slices;
  for (auto _ : state) benchmark::DoNotOptimize(case_scores(probabilities, offsets, {}));
  state.SetItemsProcessed(state.iterations() * studies);
}

void roc_areas(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(evaluate::areas(evaluate::rank(scores().truth, scores().first)));
}

void delong(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(evaluate::delong_test(scores().truth, scores().first, scores().second));
}

void bootstrap(benchmark::State& state) {
  const auto ranking = evaluate::rank(scores().truth, scores().first);
  const auto area = [&](std::span<const std::uint32_t> times, std::span<double> values) {
    values[0] = evaluate::areas(ranking, times).roc_auc;
  };
  evaluate::BootstrapOptions options;
  options.resamples = 100;
  options.threads = 1;
  for (auto _ : state) benchmark::DoNotOptimize(evaluate::bootstrap(scores().patient, 1, area, options));
  state.SetItemsProcessed(state.iterations() * 100);
}

void contact_sheet(benchmark::State& state) {
  const auto& s = scan();
  for (auto _ : state) benchmark::DoNotOptimize(render_sheet(s.study.stack, s.study.truth, s.result));
}

void phantom(benchmark::State& state) {
  PhantomOptions options;
  options.subsamples = options.threads = 1;
  for (auto _ : state) benchmark::DoNotOptimize(make_phantom(options));
}

BENCHMARK(dicom_to_hu)->Unit(benchmark::kMillisecond);
BENCHMARK(windows)->Unit(benchmark::kMillisecond);
BENCHMARK(resample)->Unit(benchmark::kMillisecond);
BENCHMARK(head)->Unit(benchmark::kMillisecond);
BENCHMARK(brain)->Unit(benchmark::kMillisecond);
BENCHMARK(lesion_list)->Unit(benchmark::kMillisecond);
BENCHMARK(n_percent_rule)->Unit(benchmark::kMillisecond);
BENCHMARK(roc_areas)->Unit(benchmark::kMillisecond);
BENCHMARK(delong)->Unit(benchmark::kMillisecond);
BENCHMARK(bootstrap)->Unit(benchmark::kMillisecond);
BENCHMARK(contact_sheet)->Unit(benchmark::kMillisecond);
BENCHMARK(phantom)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
