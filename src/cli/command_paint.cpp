#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/core/volume.hpp"
#include "ichdet/io/nifti.hpp"
#include "ichdet/io/study.hpp"
#include "ichdet/train/paint_study.hpp"
#include "ichdet/train/training_study.hpp"
#include "options.hpp"

namespace ichdet::cli {
namespace {

namespace fs = std::filesystem;

struct PaintArguments {
  std::string input;
  fs::path out;
  std::vector<std::string> types;
  train::PaintOptions paint;
  io::StudyOptions study;
};

void paint(PaintArguments a, const Context& context) {
  if (!a.types.empty()) {
    a.paint.synthesis.type_weights.fill(0);
    a.paint.synthesis.further_type = 0;
    for (const auto& name : a.types) a.paint.synthesis.type_weights[std::size_t(hemorrhage_type(name)) - 1] = 1;
  }
  const auto study = io::read_study(a.input, a.study, context.progress);
  check_writable(a.out);
  const auto painted = train::paint_study(study.stack, a.paint);
  if (painted.painted == 0) {
    throw Error(ErrorCode::geometry, a.input + ": nothing could be painted: no slice has room for these types");
  }
  const auto grid = study.stack.geometry.nominal();
  io::write_nifti(a.out / "scan.nii.gz", Volume(painted.stack.hu, grid));
  io::write_nifti(a.out / "scan_mask.nii.gz", LabelMap(painted.truth.labels, painted.truth.names, grid));
  if (context.quiet) return;
  std::printf("%d of %d hemorrhages painted\n", painted.painted, a.paint.hemorrhages);
  const double ml = grid.spacing_mm().prod() / 1000;
  for (std::size_t type = 1; type < painted.truth.names.size(); ++type) {
    const auto count = std::ranges::count(painted.truth.labels, std::uint8_t(type));
    if (count > 0) std::printf("  %-17s %6.1f mL\n", painted.truth.names[type].c_str(), double(count) * ml);
  }
  if (!study.stack.geometry.regular()) std::printf("The slices are not evenly spaced: the files' affine is nominal\n");
  std::printf("Written to %s: scan.nii.gz, scan_mask.nii.gz\n", a.out.c_str());
}

}  // namespace

void add_paint(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("paint", "Paint hemorrhages into a scan without blood: a test of known answer");
  command->footer(
      "Types are intraparenchymal (iph), intraventricular (ivh), subdural (sdh), epidural (edh) and subarachnoid "
      "(sah);\n"
      "in the mask 1 to 5 in this order, 6 where blood hardly stands out (docs/painted_blood.md). The same\n"
      "arguments give the same files.\n\n"
      "Examples:\n"
      "  ichdet paint scan/ -o painted --type sdh --seed 3\n"
      "  ichdet detect painted/scan.nii.gz --out found");
  const auto arguments = std::make_shared<PaintArguments>();
  auto& a = *arguments;
  command->add_option("INPUT", a.input, "DICOM folder or file, or NIfTI file")->required();
  command->add_option("-o,--out", a.out, "Folder to write to")->required();
  command->add_option("--type", a.types, "Of the hemorrhages, repeatable; by default any")->allow_extra_args(false);
  command->add_option("--number", a.paint.hemorrhages, "How many")
      ->check(number_from(1, 20, "1 to 20"))
      ->capture_default_str();
  command->add_option("--extent", a.paint.extent_mm, "Of each across the slices, in mm: 1 to 7 slices")
      ->check(above_zero())
      ->capture_default_str();
  command->add_flag("--distract", a.paint.distracted, "Paint what is bright and not blood beside them");
  command->add_option("--seed", a.paint.seed, "Of all that is drawn")->capture_default_str();
  add_study_options(*command, a.study);
  add_threads(*command, a.paint.threads);
  command->add_flag("-q,--quiet", context.quiet, "Print nothing but errors");
  command->callback([arguments, &context] { paint(*arguments, context); });
}

}  // namespace ichdet::cli
