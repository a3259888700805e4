#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/core/version.hpp"
#include "ichdet/core/volume.hpp"
#include "ichdet/io/dicom_write.hpp"
#include "ichdet/io/nifti.hpp"
#include "ichdet/phantom/phantom.hpp"
#include "ichdet/report/summary.hpp"
#include "options.hpp"

namespace ichdet::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct PhantomArguments {
  std::string out;
  std::vector<std::string> hemorrhages{"iph:25"};
  PhantomOptions options;
  std::int64_t size = 512;
  double fov_mm = 0;
  bool variable_gaps = false;
  bool overwrite = false;
};

/// TYPE:ML[:SIDE[:REGION]]
Hemorrhage parse_hemorrhage(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ':' && parts.size() < 4) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  const std::string expected = "TYPE:ML[:SIDE[:REGION]], as in iph:25:left";
  if (parts.size() < 2) throw Error::mismatch(ErrorCode::options, "--hemorrhage", expected, text);
  Hemorrhage h;
  h.type = hemorrhage_type(parts[0]);
  const auto* end = parts[1].data() + parts[1].size();
  const auto read = std::from_chars(parts[1].data(), end, h.volume_ml);
  if (read.ec != std::errc() || read.ptr != end)
    throw Error::mismatch(ErrorCode::options, "--hemorrhage", expected, text);
  if (parts.size() > 2) h.side = hemorrhage_side(parts[2]);
  if (parts.size() > 3) h.region = parts[3];
  if (h.type == HemorrhageType::intraparenchymal) h.oedema_mm = 4;
  return h;
}

/// As older scanners went through a head: 4 mm through the skull base, 7 mm slices 7.5 mm apart above it.
void use_variable_gaps(PhantomOptions& options) {
  for (double z = -68; z < -14; z += 4) {
    options.offsets_mm.push_back(z);
    options.thicknesses_mm.push_back(4);
  }
  for (double z = -9.5; z < 89; z += 7.5) {
    options.offsets_mm.push_back(z);
    options.thicknesses_mm.push_back(7);
  }
}

json truth_of(const PhantomStudy& study, const PhantomOptions& options) {
  json labels = json::object();
  for (std::size_t i = 1; i < study.truth.names.size(); ++i) labels[std::to_string(i)] = study.truth.names[i];
  json volumes = json::object();
  json hemorrhages = json::array();
  for (const auto& h : study.placed) {
    const std::string type(to_string(h.asked.type));
    hemorrhages.push_back({{"type", type},
                           {"label", int(h.asked.type)},
                           {"asked_ml", h.asked.volume_ml},
                           {"volume_ml", h.volume_ml},
                           {"oedema_ml", h.oedema_ml},
                           {"centroid_mm", {h.centroid_mm.x(), h.centroid_mm.y(), h.centroid_mm.z()}},
                           {"density_hu", h.asked.density_hu},
                           {"slices", h.slices}});
    volumes[type] = volumes.value(type, 0.0) + h.volume_ml;
    if (h.oedema_ml > 0) {
      const auto& oedema = study.truth.names[oedema_label];
      volumes[oedema] = volumes.value(oedema, 0.0) + h.oedema_ml;
    }
  }
  json notes = json::array({"synthetic: made by ichdet phantom from formulas, no patient was scanned",
                            "labels that overlap no other: each pixel has one"});
  if (!study.stack.geometry.regular()) {
    notes.push_back(
        "truth.nii.gz holds one voxel for each pixel of each slice; the slices are not evenly spaced, so its "
        "affine is nominal. Volumes are those of the slices.");
  }
  return {{"version", std::string(version)},
          {"synthetic", true},
          {"seed", options.seed},
          {"dicom", "dicom"},
          {"labels_file", "truth.nii.gz"},
          {"labels", labels},
          {"volumes_ml", volumes},
          {"hemorrhages", hemorrhages},
          {"notes", notes}};
}

void make(PhantomArguments a, const Context& context) {
  PhantomOptions options = a.options;
  if (a.variable_gaps) use_variable_gaps(options);
  for (const auto& text : a.hemorrhages) {
    if (text == "none" && a.hemorrhages.size() == 1) break;
    options.hemorrhages.push_back(parse_hemorrhage(text));
  }
  // A tilted gantry's slices are staggered: the head wanders through a field that must be wider.
  const double fov_mm = a.fov_mm > 0 ? a.fov_mm : options.tilt_degrees != 0 ? 256 : 230.4;
  options.rows = options.columns = a.size;
  options.pixel_mm = fov_mm / double(a.size);
  const fs::path out = a.out;
  const PhantomStudy study = make_phantom(options, context.progress);

  io::DicomWriteOptions writing;
  writing.seed = options.seed;
  writing.patient_name = "PHANTOM^ICHDET";
  writing.overwrite = a.overwrite;
  writing.threads = options.threads;
  const auto files = io::write_series(study.stack, out / "dicom", writing, context.progress);
  io::write_nifti(out / "truth.nii.gz",
                  LabelMap(study.truth.labels, study.truth.names, study.stack.geometry.nominal()));
  const json truth = truth_of(study, options);
  std::ofstream file(out / "truth.json");
  file << truth.dump(2) << '\n';
  file.close();
  if (!file) throw Error(ErrorCode::io, (out / "truth.json").string() + ": cannot be written");

  if (context.json) {
    std::printf("%s\n", truth.dump(2).c_str());
  } else if (!context.quiet) {
    std::printf("Synthetic head CT of %zu slices, seed %llu: %s\n", files.size(),
                static_cast<unsigned long long>(options.seed), (out / "dicom").c_str());
    for (const auto& h : study.placed) {
      std::printf("  %-17s %6.1f mL at %s, slices %lld-%lld\n", std::string(to_string(h.asked.type)).c_str(),
                  h.volume_ml, place(h.centroid_mm).c_str(), static_cast<long long>(h.slices.front()),
                  static_cast<long long>(h.slices.back()));
    }
    if (study.placed.empty()) std::printf("  no hemorrhage\n");
    std::printf("The truth: %s and truth.json\n", (out / "truth.nii.gz").c_str());
  }
}

}  // namespace

void add_phantom(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("phantom", "Make a synthetic head CT with known hemorrhages, as a DICOM series");
  command->footer(
      "Writes DIR/dicom/0001.dcm ..., DIR/truth.nii.gz (the true labels) and DIR/truth.json (volumes, places).\n"
      "TYPE is intraparenchymal (iph), intraventricular (ivh), subdural (sdh), epidural (edh) or subarachnoid (sah);\n"
      "SIDE is left, right or any; REGION is, for iph: basal ganglia, thalamus, frontal, parietal, temporal, "
      "occipital,\n"
      "cerebellum, pons; for sdh and edh: frontal, parietal, temporal, occipital; for sah also: basal cisterns.\n"
      "The same arguments give the same files.\n\n"
      "Examples:\n"
      "  ichdet phantom --out head\n"
      "  ichdet phantom --out head --seed 7 --hemorrhage sdh:60:left --hemorrhage sah:8\n"
      "  ichdet phantom --out head --hemorrhage \"iph:12:right:thalamus\" --tilt 15 --variable-gaps\n"
      "  ichdet phantom --out healthy --hemorrhage none");
  const auto arguments = std::make_shared<PhantomArguments>();
  auto& a = *arguments;
  command->add_option("-o,--out", a.out, "Folder to write to")->required();
  command->add_option("--seed", a.options.seed, "Of the head's shape, its pose, the noise and the hemorrhage")
      ->capture_default_str();
  command->add_option("--hemorrhage", a.hemorrhages, "TYPE:ML[:SIDE[:REGION]], repeatable, or none")
      ->default_str("iph:25")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  auto* slices = command->add_option("--slices", a.options.slices, "How many")->capture_default_str();
  auto* thickness =
      command->add_option("--thickness", a.options.thickness_mm, "Of each slice and their distance, in mm")
          ->capture_default_str();
  command->add_option("--tilt", a.options.tilt_degrees, "Of the gantry, in degrees")->capture_default_str();
  command->add_flag("--variable-gaps", a.variable_gaps, "4 mm slices through the skull base, 7 mm ones above")
      ->excludes(slices)
      ->excludes(thickness);
  command->add_option("--size", a.size, "Rows and columns")->capture_default_str();
  command->add_option("--fov", a.fov_mm, "Field of view in mm (default 230.4, tilted 256)");
  command->add_option("--noise", a.options.noise_hu, "Standard deviation in HU")->capture_default_str();
  command->add_option("--atrophy", a.options.atrophy, "0 (narrow sulci) to 1 (wide); default: from the seed");
  add_threads(*command, a.options.threads);
  command->add_flag("--overwrite", a.overwrite, "Write into a folder that has something in it");
  add_output_flags(*command, context, "Print truth.json");
  command->callback([arguments, &context] { make(*arguments, context); });
}

}  // namespace ichdet::cli
