#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/io/dicom_write.hpp"
#include "ichdet/io/nifti.hpp"
#include "ichdet/io/study.hpp"
#include "ichdet/preprocess/grid.hpp"
#include "ichdet/preprocess/resample.hpp"
#include "options.hpp"

namespace ichdet::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct ConvertArguments {
  std::string input, output;
  io::StudyOptions study;
  std::vector<double> spacing_mm;
  bool overwrite = false;
};

struct Converted {
  std::string geometry;
  std::size_t files = 1;
  std::vector<std::string> notes;
};

std::optional<Eigen::Vector3d> spacing_of(const ConvertArguments& a) {
  if (a.spacing_mm.empty()) return std::nullopt;
  if (a.spacing_mm.size() == 1) return Eigen::Vector3d::Constant(a.spacing_mm[0]);
  if (a.spacing_mm.size() == 3) return Eigen::Vector3d(a.spacing_mm[0], a.spacing_mm[1], a.spacing_mm[2]);
  throw Error::mismatch(ErrorCode::options, "--spacing", "1 or 3 numbers", std::to_string(a.spacing_mm.size()));
}

/// The stack as one array on one grid, without resampling; what that loses goes to `notes`.
Volume as_stored(const io::Study& study, std::vector<std::string>& notes) {
  const auto& stack = study.stack;
  if (study.source_grid) {
    // The same lattice, axes permuted and flipped: nearest neighbour changes no value.
    return resample_to(Volume(stack.hu, stack.geometry.nominal()), *study.source_grid,
                       {.interpolation = Interpolation::nearest});
  }
  const bool even = stack.geometry.regular().has_value();
  if (!even) {
    notes.emplace_back(
        "Distances between slices vary, which NIfTI cannot hold: the affine is nominal (their mean). --spacing gives "
        "a regular grid in true place.");
  }
  char tilt[32];
  std::snprintf(tilt, sizeof tilt, "%.1f", stack.geometry.tilt_degrees());
  if (stack.geometry.tilt_degrees() > 0.05) {
    notes.push_back("The gantry was tilted by " + std::string(tilt) +
                    " degrees: the grid is sheared, which the sform holds and a qform cannot. Readers that know no "
                    "shear need --spacing.");
  }
  if (!stack.padding.empty()) notes.emplace_back("Pixels that the scanner did not measure keep their stored value.");
  return Volume(stack.hu, stack.geometry.nominal());
}

Converted convert_to_nifti(const io::Study& study, const ConvertArguments& a) {
  Converted done;
  done.notes = study.stack.assumptions;
  const auto spacing = spacing_of(a);
  const Volume volume = spacing ? resample_to(study.stack, segmentation_grid(study.stack.geometry, *spacing))
                                : as_stored(study, done.notes);
  if (spacing) done.notes.emplace_back("Resampled linearly to a regular grid; -1024 HU outside the scan.");
  io::write_nifti(a.output, volume);
  done.geometry = volume.geometry.to_string();
  return done;
}

Converted convert_to_dicom(const io::Study& study, const ConvertArguments& a, const Context& context) {
  Converted done;
  done.notes = study.stack.assumptions;
  const auto spacing = spacing_of(a);
  SliceStack stack = study.stack;
  if (spacing) {
    auto volume = resample_to(study.stack, segmentation_grid(study.stack.geometry, *spacing));
    stack = SliceStack(SliceGeometry(volume.geometry), std::move(volume.hu));
    stack.identity = study.stack.identity;
    done.notes.emplace_back("Resampled linearly to a regular grid; -1024 HU outside the scan.");
  }
  io::DicomWriteOptions writing;
  writing.patient_name = "ICHDET^CONVERTED";
  writing.overwrite = a.overwrite;
  done.files = io::write_series(stack, a.output, writing, context.progress).size();
  done.geometry = stack.geometry.nominal().to_string();
  return done;
}

void convert(const ConvertArguments& a, const Context& context) {
  const fs::path output = a.output;
  if (io::is_nifti(output) && fs::exists(output) && !a.overwrite) {
    throw Error(ErrorCode::io, output.string() + ": is there already; --overwrite replaces it");
  }
  if (!io::is_nifti(output)) {
    check_is_no_other_file(a.output, "a name that ends in .nii or .nii.gz, or a folder for DICOM files");
  }
  const auto study = io::read_study(a.input, a.study, context.progress);
  const auto done = io::is_nifti(output) ? convert_to_nifti(study, a) : convert_to_dicom(study, a, context);
  if (context.json) {
    const json all{
        {"output", a.output}, {"files", done.files}, {"geometry", done.geometry}, {"assumptions", done.notes}};
    std::printf("%s\n", all.dump(2, ' ', false, json::error_handler_t::replace).c_str());
  } else if (!context.quiet) {
    std::printf("%s: %s\n", a.output.c_str(), done.geometry.c_str());
    for (const auto& note : done.notes) std::printf("  %s\n", note.c_str());
  }
}

}  // namespace

void add_convert(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<ConvertArguments>();
  auto& a = *arguments;
  auto* command = app.add_subcommand("convert", "DICOM to NIfTI and back, with tilt, gaps and Hounsfield units kept");
  command->add_option("INPUT", a.input, "DICOM folder, one DICOM file, or NIfTI file (.nii, .nii.gz)")->required();
  command->add_option("OUTPUT", a.output, "NIfTI file (ends in .nii or .nii.gz), else a folder for DICOM files")
      ->required();
  command->add_option("--spacing", a.spacing_mm, "Resample to voxels of this many mm: one number, or X,Y,Z")
      ->delimiter(',')
      ->expected(1, 3)
      ->check(number_from(0.05, 100, "0.05 to 100 mm"));
  add_study_options(*command, a.study);
  command->add_flag("--overwrite", a.overwrite, "Replace a file, or write into a folder, that is there already");
  add_output_flags(*command, context, "Print what was written, as JSON");
  command->callback([arguments, &context] { convert(*arguments, context); });
}

}  // namespace ichdet::cli
