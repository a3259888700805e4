#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "commands.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/io/nifti.hpp"
#include "ichdet/io/series.hpp"
#include "options.hpp"

namespace ichdet::cli {
namespace {

using nlohmann::json;

struct InfoOptions {
  std::vector<std::string> inputs;
  std::string series_uid, study_uid;
};

struct Found {
  io::Inventory inventory;
  std::optional<io::SeriesChoice> choice;
  std::string refusal;  ///< why `detect` would take none
};

std::string number(double value, int decimals) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

/// "4.00", or "4.00 to 7.00" where slices differ.
std::string range(double low, double high) {
  return high - low < 0.005 ? number(low, 2) : number(low, 2) + " to " + number(high, 2);
}

std::string thickness_of(const io::SeriesInfo& series) {
  if (series.slices.empty()) return "-";
  const auto [thin, thick] =
      std::minmax_element(series.slices.begin(), series.slices.end(),
                          [](const auto& a, const auto& b) { return a.plane.thickness_mm < b.plane.thickness_mm; });
  return thick->plane.thickness_mm > 0 ? range(thin->plane.thickness_mm, thick->plane.thickness_mm) : "-";
}

std::string gap_of(const io::SeriesInfo& series) {
  if (series.slices.size() < 2) return "-";
  double low = series.gap_mm, high = series.gap_mm;
  for (const auto& gap : series.gaps) {
    low = std::min(low, gap.gap_mm);
    high = std::max(high, gap.gap_mm);
  }
  return range(low, high);
}

std::string tilt_of(const io::SeriesInfo& series) {
  return series.tilt_degrees ? number(*series.tilt_degrees, 1) : "-";
}

std::string pixel_of(const io::SeriesInfo& series) {
  if (series.slices.empty()) return "-";
  return number(series.column_spacing_mm, 2) + " x " + number(series.row_spacing_mm, 2);
}

/// What a reader should know of a series, one sentence each.
std::vector<std::string> remarks_of(const io::SeriesInfo& series) {
  std::vector<std::string> remarks = series.problems;
  if (remarks.size() > 3) {
    remarks.resize(3);
    remarks.push_back("and " + std::to_string(series.problems.size() - 3) + " more problems");
  }
  for (const auto& gap : series.gaps) {
    if (!gap.missing) continue;
    remarks.push_back("a slice is missing after slice " + std::to_string(gap.after) + ": " + number(gap.gap_mm, 2) +
                      " mm to the next, expected " + number(gap.usual_mm, 2) + " mm (" + gap.reason + ")");
  }
  remarks.insert(remarks.end(), series.notes.begin(), series.notes.end());
  return remarks;
}

void print_series(const Found& found) {
  if (found.inventory.series.empty()) {
    std::printf("No CT series.\n");
    return;
  }
  std::vector<std::vector<std::string>> rows{{"", "series", "description", "kernel", "slices", "matrix", "pixel mm",
                                              "gap mm", "thick mm", "tilt", "SeriesInstanceUID"}};
  for (std::size_t i = 0; i < found.inventory.series.size(); ++i) {
    const auto& s = found.inventory.series[i];
    const bool chosen = found.choice && found.choice->index == i;
    const auto or_dash = [](const std::string& text) { return text.empty() ? std::string("-") : text; };
    rows.push_back({chosen ? "*" : " ",
                    (s.series_number ? std::to_string(*s.series_number) : "-") +
                        (s.part > 0 ? " part " + std::to_string(s.part) : ""),
                    or_dash(s.identity.series_description), or_dash(s.identity.convolution_kernel),
                    std::to_string(s.slices.size()), std::to_string(s.columns) + " x " + std::to_string(s.rows),
                    pixel_of(s), gap_of(s), thickness_of(s), tilt_of(s), or_dash(s.identity.series_instance_uid)});
  }
  print_table(rows);
  for (const auto& s : found.inventory.series) {
    for (const auto& remark : remarks_of(s)) std::printf("  ! %s: %s\n", io::describe(s).c_str(), remark.c_str());
  }
}

void print_set_aside(const io::Inventory& inventory) {
  if (inventory.set_aside.empty()) return;
  std::printf("\nSet aside:\n");
  for (int rule = 0; rule <= int(io::SetAsideRule::stray_image); ++rule) {
    std::vector<const io::SetAside*> files;
    for (const auto& aside : inventory.set_aside) {
      if (int(aside.rule) == rule) files.push_back(&aside);
    }
    if (files.empty()) continue;
    std::printf("  %s: %zu file%s\n", std::string(to_string(io::SetAsideRule(rule))).c_str(), files.size(),
                files.size() == 1 ? "" : "s");
    for (std::size_t i = 0; i < std::min<std::size_t>(files.size(), 3); ++i) {
      std::printf("    %s: %s\n", files[i]->file.c_str(), files[i]->detail.c_str());
    }
    if (files.size() > 3) std::printf("    ... (--json lists all)\n");
  }
}

json to_json(const io::SeriesInfo& s, bool chosen) {
  json gaps = json::array(), files = json::array();
  for (const auto& gap : s.gaps) {
    gaps.push_back({{"after", gap.after},
                    {"gap_mm", gap.gap_mm},
                    {"usual_mm", gap.usual_mm},
                    {"missing", gap.missing},
                    {"reason", gap.reason}});
  }
  for (const auto& slice : s.slices) {
    if (slice.frame == 0) files.push_back(slice.file.string());
  }
  return {{"series_instance_uid", s.identity.series_instance_uid},
          {"study_instance_uid", s.identity.study_instance_uid},
          {"series_number", s.series_number ? json(*s.series_number) : json()},
          {"part", s.part},
          {"description", s.identity.series_description},
          {"kernel", s.identity.convolution_kernel},
          {"manufacturer", s.identity.manufacturer},
          {"slices", s.slices.size()},
          {"rows", s.rows},
          {"columns", s.columns},
          {"row_spacing_mm", s.row_spacing_mm},
          {"column_spacing_mm", s.column_spacing_mm},
          {"thickness_mm", s.thickness_mm},
          {"gap_mm", s.gap_mm},
          {"extent_mm", s.extent_mm},
          {"tilt_degrees", s.tilt_degrees ? json(*s.tilt_degrees) : json()},
          {"gaps", gaps},
          {"problems", s.problems},
          {"notes", s.notes},
          {"chosen", chosen},
          {"files", files}};
}

void print_json(const Found& found) {
  json series = json::array(), aside = json::array();
  for (std::size_t i = 0; i < found.inventory.series.size(); ++i) {
    series.push_back(to_json(found.inventory.series[i], found.choice && found.choice->index == i));
  }
  for (const auto& file : found.inventory.set_aside) {
    aside.push_back({{"file", file.file.string()}, {"rule", to_string(file.rule)}, {"detail", file.detail}});
  }
  const json all{{"series", series},
                 {"set_aside", aside},
                 {"assumptions", found.choice ? json(found.choice->assumptions) : json::array()},
                 {"none_chosen_because", found.refusal.empty() ? json() : json(found.refusal)}};
  std::printf("%s\n", all.dump(2, ' ', false, json::error_handler_t::replace).c_str());
}

void info(const InfoOptions& options, const Context& context) {
  for (const auto& input : options.inputs) {
    if (!io::is_nifti(input)) continue;
    throw Error(ErrorCode::options, input + ": info looks at DICOM; a NIfTI file holds one series, which detect, " +
                                        "convert and window read as it is");
  }
  Found found;
  found.inventory = io::scan({options.inputs.begin(), options.inputs.end()}, {}, context.progress);
  try {
    io::SelectOptions select;
    select.series_uid = options.series_uid;
    select.study_uid = options.study_uid;
    found.choice = io::choose_head_series(found.inventory, select);
  } catch (const Error& e) {
    found.refusal = e.what();
  }
  if (context.json) return print_json(found);
  if (context.quiet) return;
  print_series(found);
  print_set_aside(found.inventory);
  std::printf("\n");
  if (found.choice) {
    std::printf("* is what detect would read.\n");
    for (const auto& assumption : found.choice->assumptions) std::printf("%s\n", assumption.c_str());
  } else {
    std::printf("detect would read none of these: %s\n", found.refusal.substr(0, found.refusal.find('\n')).c_str());
  }
}

}  // namespace

void add_info(CLI::App& app, Context& context) {
  const auto options = std::make_shared<InfoOptions>();
  auto* command = app.add_subcommand("info", "Say what is in a DICOM folder, and which series detect would read");
  command->add_option("INPUT", options->inputs, "DICOM files, or folders of any nesting")->required();
  command->add_option("--series", options->series_uid, "SeriesInstanceUID to choose");
  command->add_option("--study", options->study_uid, "StudyInstanceUID to look in");
  add_output_flags(*command, context, "Print everything as JSON");
  command->callback([options, &context] { info(*options, context); });
}

}  // namespace ichdet::cli
