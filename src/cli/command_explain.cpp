#include <ATen/core/Tensor.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros_like.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ranges>

#include "commands.hpp"
#include "ichdet/core/version.hpp"
#include "ichdet/io/nifti.hpp"
#include "ichdet/io/npy.hpp"
#include "ichdet/io/png.hpp"
#include "ichdet/io/study.hpp"
#include "ichdet/pipeline/open_detector.hpp"
#include "ichdet/pipeline/slice_classifier.hpp"
#include "ichdet/pipeline/slice_explainer.hpp"
#include "ichdet/preprocess/resample.hpp"
#include "ichdet/report/explanation.hpp"
#include "mask_classes.hpp"
#include "options.hpp"
#include "output_file.hpp"
#include "slice_list.hpp"

namespace ichdet::cli {
namespace {

using attribution::Method;

struct ExplainArguments {
  std::string input, out, slices = "worst:5", precision = "auto", engine = "auto", baseline = "black",
                          quadrature = "riemann", arrays = "npy", reference, target;
  std::vector<std::string> bundles, methods{"xrai"}, mask_classes;
  std::vector<double> areas{5, 10, 20};
  std::int64_t steps = 0, samples = 25, masks = 4000, batch = 1;
  bool smooth = false;
  int threads = 0;
  io::StudyOptions study;
};

ExplainOptions options_of(const ExplainArguments& a) {
  ExplainOptions options;
  options.network.precision = parse_precision(a.precision);
  options.network.engine = parse_engine(a.engine);
  options.network.threads = a.threads;
  options.batch = a.batch;
  if (!a.target.empty()) options.target = a.target;
  options.baseline = attribution::parse_baseline(a.baseline);
  options.path.quadrature = attribution::parse_quadrature(a.quadrature);
  if (a.steps > 0) options.path.steps = options.guided_ig.steps = options.blur_ig.steps = a.steps;
  options.smooth.samples = a.samples;
  options.rise.masks = a.masks;
  options.cam.aug_smooth = options.cam.eigen_smooth = a.smooth;
  return options;
}

std::vector<Method> methods_of(const ExplainArguments& a) {
  std::vector<Method> methods;
  for (const auto& name : a.methods) {
    if (name != "all") {
      methods.push_back(attribution::parse_attribution_method(name));
      continue;
    }
    for (const auto& each : attribution::attribution_methods()) {
      methods.push_back(attribution::parse_attribution_method(each));
    }
  }
  return methods;
}

/// As the literature writes it.
std::string title_of(Method method) {
  switch (method) {
    case Method::grad_cam: return "Grad-CAM";
    case Method::grad_cam_plus_plus: return "Grad-CAM++";
    case Method::eigen_cam: return "EigenCAM";
    case Method::gradients: return "Gradients";
    case Method::smooth_gradients: return "SmoothGrad";
    case Method::integrated_gradients: return "Integrated gradients";
    case Method::guided_ig: return "Guided IG";
    case Method::blur_ig: return "Blur IG";
    case Method::xrai: return "XRAI";
    case Method::xrai_fast: return "XRAI, fast";
    case Method::occlusion: return "Occlusion";
    case Method::rise: return "RISE";
  }
  return to_string(method);
}

SliceLabels read_reference(const ExplainArguments& a, const SliceGeometry& planes) {
  auto labels = io::read_nifti_labels(a.reference);
  const auto classes = mask_classes(a.mask_classes);
  for (auto& label : labels.labels) {
    if (const auto found = classes.find(label); found != classes.end()) label = found->second;
  }
  return resample_to(labels, planes, a.threads);
}

/// worst:N and positive, by the slices' scores; else as parse_slices.
std::vector<std::int64_t> chosen_slices(const std::string& text, const std::vector<SliceScore>& scores,
                                        const CaseRule& rule, std::int64_t count) {
  if (text != "positive" && !text.starts_with("worst")) return parse_slices(text, count);
  std::vector<const SliceScore*> order;
  for (const auto& score : scores) {
    if (score.computed) order.push_back(&score);
  }
  std::ranges::stable_sort(order, std::greater{}, &SliceScore::probability);
  if (text == "positive") {
    std::erase_if(order, [&](const auto* score) { return score->probability <= rule.slice_threshold; });
    if (order.empty()) throw Error(ErrorCode::options, "--slices positive: no slice is; worst:3 shows the likeliest");
  } else {
    char* end = nullptr;
    const auto most = text.starts_with("worst:") ? std::strtol(text.c_str() + 6, &end, 10) : 0;
    if (most < 1 || *end != '\0') {
      throw Error::mismatch(ErrorCode::options, "--slices", "worst:N, positive, all, or indices as in 3,7-12", text);
    }
    order.resize(std::min(order.size(), std::size_t(most)));
  }
  std::vector<std::int64_t> slices;
  for (const auto* score : order) slices.push_back(score->index);
  std::ranges::sort(slices);
  return slices;
}

/// The map's top: of XRAI whole regions, else as many pixels as make the share.
at::Tensor top(const SliceExplanation& found, double share) {
  if (found.regions) return attribution::top_regions(*found.regions, share);
  const auto flat = found.map.flatten();
  const auto count = std::max<std::int64_t>(1, std::llround(share * double(flat.numel())));
  const auto best = std::get<1>(at::topk(flat, count));
  return at::zeros_like(flat, at::kBool).index_fill_(0, best, 1).view_as(found.map);
}

ExplainedSlice explained_slice(const SliceExplanation& found, const SliceImages& images,
                               const std::vector<double>& areas) {
  ExplainedSlice shown{found.slice, found.probability, images.to_slice(found.map), {}, {}};
  for (const auto area : areas) {
    const auto part = images.to_slice(top(found, area / 100).to(at::kFloat));
    Array<std::uint8_t, 2> mask(part.shape());
    std::ranges::transform(part, mask.begin(), [](float v) { return std::uint8_t(v >= 0.5f); });
    shown.regions.push_back(std::move(mask));
  }
  char text[64] = "";
  if (found.sum) {
    std::snprintf(text, sizeof text, "adds up to %.3g of %.3g", *found.sum, *found.difference);
    shown.note = text;
  }
  return shown;
}

std::vector<std::string> details(Method method, const ExplainArguments& a, const ExplainOptions& options) {
  std::vector<std::string> lines;
  const auto number = [](auto value) { return std::to_string(value); };
  const bool path = method == Method::integrated_gradients || method == Method::guided_ig;
  if (path) lines.push_back("from a " + a.baseline + " image");
  if (method == Method::xrai || method == Method::xrai_fast) {
    lines.push_back("integrated gradients from a black and a white image");
  }
  if (path || method == Method::xrai || method == Method::xrai_fast || method == Method::blur_ig) {
    const auto steps = method == Method::guided_ig ? options.guided_ig.steps
                       : method == Method::blur_ig ? options.blur_ig.steps
                                                   : options.path.steps;
    const bool fixed = method == Method::guided_ig || method == Method::blur_ig;
    lines.push_back(number(steps) + " steps" + (fixed ? "" : ", " + a.quadrature));
  }
  if (method == Method::smooth_gradients) lines.push_back(number(a.samples) + " noisy copies");
  if (method == Method::rise) lines.push_back(number(a.masks) + " random masks");
  if (attribution::takes_features(method) && a.smooth) lines.emplace_back("smoothed (aug, eigen)");
  return lines;
}

nlohmann::ordered_json to_json(const SliceExplanation& found, const SliceStack& stack) {
  const auto& geometry = stack.geometry;
  const auto& plane = geometry.planes()[std::size_t(found.slice)];
  const auto centre = plane.to_lps(double(geometry.rows() - 1) / 2, double(geometry.columns() - 1) / 2);
  nlohmann::ordered_json one{
      {"index", found.slice}, {"z_mm", centre.z()}, {"probability", found.probability}, {"score", found.score}};
  if (found.sum) {
    one["completeness"] = {
        {"sum", *found.sum}, {"difference", *found.difference}, {"gap", *found.sum - *found.difference}};
  }
  if (found.regions) {
    one["regions"] = {{"gains", found.regions->gains}, {"areas_px", found.regions->areas}};
  }
  return one;
}

/// (slice, row, column) of the slices that were explained, and as a whole scan, 0 elsewhere.
void write_arrays(const std::filesystem::path& folder, const std::string& name, const ExplainArguments& a,
                  const SliceStack& stack, const std::vector<ExplainedSlice>& shown) {
  const auto plane = stack.geometry.rows() * stack.geometry.columns();
  if (a.arrays == "npy" || a.arrays == "both") {
    std::vector<float> values;
    for (const auto& slice : shown) values.insert(values.end(), slice.map.begin(), slice.map.end());
    io::write_npy(folder / (name + ".npy"), values,
                  {std::int64_t(shown.size()), stack.geometry.rows(), stack.geometry.columns()});
  }
  if (a.arrays == "nifti" || a.arrays == "both") {
    Array3<float> whole(stack.geometry.shape());
    for (const auto& slice : shown) std::ranges::copy(slice.map, whole.begin() + slice.slice * plane);
    io::write_nifti(folder / (name + ".nii.gz"), Volume(whole, stack.geometry.nominal()));
  }
}

void explain(const ExplainArguments& a, const Context& context) {
  const auto options = options_of(a);
  const auto methods = methods_of(a);
  const auto members = open_classifiers(a.bundles.empty() ? std::vector<std::string>{default_detector} : a.bundles);
  const auto study = io::read_study(a.input, a.study, context.progress);
  const auto& stack = study.stack;
  std::optional<SliceLabels> reference;
  if (!a.reference.empty()) reference = read_reference(a, stack.geometry);
  check_writable(a.out);
  const std::filesystem::path folder(a.out);

  const SliceExplainer explainer(members, options);
  const bool by_score = a.slices == "positive" || a.slices.starts_with("worst");
  std::vector<SliceScore> scores;
  if (by_score) {
    ClassifierOptions scoring;
    scoring.network = options.network;
    scores = SliceClassifier(members, scoring).scores(stack, context.progress);
  }
  const auto slices = chosen_slices(a.slices, scores, explainer.rule(), stack.geometry.count());

  const auto images = explainer.images(stack);
  nlohmann::ordered_json report{{"version", version}, {"target", explainer.target()}};
  for (const auto& bundle : explainer.identities()) {
    report["bundles"].push_back({{"name", bundle.name}, {"version", bundle.version}, {"sha256", bundle.sha256}});
  }
  report["slices"] = slices;
  std::string written;
  for (const auto method : methods) {
    const auto name = to_string(method);
    const auto found = explainer(images, slices, method, context.progress);
    std::vector<ExplainedSlice> shown;
    nlohmann::ordered_json described = nlohmann::ordered_json::array();
    for (const auto& one : found) {
      shown.push_back(explained_slice(one, images, a.areas));
      described.push_back(to_json(one, stack));
    }
    ExplanationOptions figure;
    figure.method = title_of(method);
    figure.target = a.target.empty() ? "blood (" + explainer.target() + ")" : explainer.target();
    figure.details = details(method, a, options);
    figure.areas.clear();
    for (const auto area : a.areas) figure.areas.push_back(area / 100);
    figure.bundles = explainer.identities();
    io::write_png(folder / (name + ".png"), render_explanation(stack, shown, figure, reference));
    write_arrays(folder, name, a, stack, shown);
    report["methods"].push_back({{"method", name}, {"details", figure.details}, {"slices", described}});
    written += (written.empty() ? "" : ", ") + name + ".png";
  }
  OutputFile file("--out", (folder / "explanation.json").string());
  const auto text = report.dump(2) + "\n";
  file.write(text);
  if (context.json) {
    std::cout << text;
  } else if (!context.quiet) {
    std::cout << "Explained " << explainer.target() << " on " << slices.size()
              << (slices.size() == 1 ? " slice" : " slices") << "\nWritten to " << a.out << ": " << written
              << ", explanation.json" << (a.arrays == "none" ? "" : ", arrays") << "\n";
  }
}

}  // namespace

void add_explain(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("explain", "Show what a slice classifier saw that speaks for blood");
  auto arguments = std::make_shared<ExplainArguments>();
  auto& a = *arguments;
  std::string names;
  for (const auto& name : attribution::attribution_methods()) names += (names.empty() ? "" : ", ") + name;
  command->footer(
      "For each method a picture (scan, map, the map's top 5, 10 and 20 % of the image), arrays for\n"
      "notebooks, and explanation.json with scores and how far a path method's sum is off.\n"
      "Which method to trust on a model: `ichdet judge-explanations --help`, docs/attribution.md.");
  command->add_option("INPUT", a.input, "DICOM folder, one DICOM file, or NIfTI file (.nii, .nii.gz)")->required();
  command->add_option("-o,--out", a.out, "Folder for METHOD.png, arrays and explanation.json")->required();
  command->add_option("-b,--bundle", a.bundles,
                      "A slice classifier's name or folder, or an ensemble's, whose classifiers are asked; several are "
                      "averaged. By default the one that comes with ichdet");
  command->add_option("-m,--method", a.methods, "One or more, joined by commas, or all: " + names)
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--slices", a.slices, "worst:N (the likeliest), positive, all, or indices as in 3,7-12")
      ->capture_default_str();
  command->add_option("--target", a.target, "The class to explain. By default what the bundle calls blood");
  command->add_option("--reference", a.reference, "NIfTI mask of the truth, outlined in the pictures to compare with")
      ->check(CLI::ExistingFile);
  command->add_option("--mask-class", a.mask_classes, "VALUE=0: a value of that mask that is not outlined")
      ->allow_extra_args(false);
  command->add_option("--areas", a.areas, "Shares of the network's image that are shown as the map's top, in %")
      ->delimiter(',')
      ->check(number_from(0.01, 100, "a number from 0.01 to 100"))
      ->capture_default_str();
  command->add_option("--arrays", a.arrays, "What is written beside the pictures")
      ->check(CLI::IsMember({"npy", "nifti", "both", "none"}))
      ->capture_default_str();
  const auto several = number_from(1, 1e6, "a number from 1 to 1000000");
  command->add_option("--steps", a.steps, "Of a path. By default 100, of guided-ig 200")->check(several);
  command
      ->add_option(
          "--quadrature", a.quadrature,
          "Of integrated gradients and XRAI; gauss-legendre with 50 steps adds up better than riemann with 300")
      ->check(CLI::IsMember({"riemann", "trapezoid", "gauss-legendre"}))
      ->capture_default_str();
  command->add_option("--baseline", a.baseline, "Where paths begin, and what occlusion and RISE hide with")
      ->check(CLI::IsMember({"zero", "black", "white"}))
      ->capture_default_str();
  command->add_option("--samples", a.samples, "Of smooth-gradients: noisy copies")
      ->check(several)
      ->capture_default_str();
  command->add_option("--masks", a.masks, "Of rise: random masks")->check(several)->capture_default_str();
  command->add_flag("--smooth", a.smooth, "Of grad-cam and its kin: aug_smooth and eigen_smooth");
  command->add_option("--precision", a.precision, "Of the network and its gradients")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16"}))
      ->capture_default_str();
  command->add_option("--engine", a.engine, "What runs it (docs/engines.md)")
      ->check(CLI::IsMember({"auto", "native", "torch", "openvino"}))
      ->capture_default_str();
  command->add_option("--batch", a.batch, "Images per call of the network")->check(several)->capture_default_str();
  add_threads(*command, a.threads);
  add_study_options(*command, a.study);
  add_output_flags(*command, context, "Print explanation.json");
  command->callback([arguments, &context] { explain(*arguments, context); });
}

}  // namespace ichdet::cli
