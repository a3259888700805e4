#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/io/png.hpp"
#include "ichdet/io/study.hpp"
#include "ichdet/preprocess/window.hpp"
#include "ichdet/report/view.hpp"
#include "options.hpp"
#include "slice_list.hpp"

namespace ichdet::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct WindowArguments {
  std::string input, output;
  io::StudyOptions study;
  std::vector<std::string> windows{"brain"};
  std::string slices = "all";
  std::int64_t columns = 0;
  bool as_stored = false;
  bool crop = false;
};

/// The slice's pixels as they lie in the file: what the papers store.
SliceView stored_view(const SliceStack& stack) {
  SliceView view;
  view.rows = stack.geometry.rows();
  view.columns = stack.geometry.columns();
  return view;
}

Image picture(const Array4<std::uint8_t>& channels, const SliceView& view, std::int64_t slice) {
  const auto count = channels.extent(0);
  Image image(view.rows, view.columns, count);
  for (std::int64_t c = 0; c < count; ++c) {
    const Array3<std::uint8_t> channel(const_cast<std::uint8_t*>(channels.plane(c).data()),
                                       {channels.extent(1), channels.extent(2), channels.extent(3)}, channels.owner());
    const auto plane = shown(view, channel, slice);
    for (std::int64_t i = 0; i < plane.size(); ++i) image.pixels[std::size_t(i * count + c)] = plane.data()[i];
  }
  return image;
}

/// Pictures of one size side by side, in rows of `columns`.
Image tiled(const std::vector<Image>& pictures, std::int64_t columns) {
  const auto& first = pictures.front();
  const auto rows = (std::int64_t(pictures.size()) + columns - 1) / columns;
  Image sheet(rows * first.rows, columns * first.columns, first.channels);
  for (std::int64_t i = 0; i < std::int64_t(pictures.size()); ++i) {
    for (std::int64_t r = 0; r < first.rows; ++r) {
      std::copy_n(pictures[std::size_t(i)].at(r, 0), first.columns * first.channels,
                  sheet.at(i / columns * first.rows + r, i % columns * first.columns));
    }
  }
  return sheet;
}

std::string numbered(std::int64_t slice) {
  char name[16];
  std::snprintf(name, sizeof name, "%03lld.png", static_cast<long long>(slice));
  return name;
}

void window(const WindowArguments& a, const Context& context) {
  std::vector<Window> windows;
  for (const auto& text : a.windows) windows.push_back(parse_window(text));
  if (windows.size() != 1 && windows.size() != 3) {
    throw Error::mismatch(ErrorCode::options, "--window", "one window (grey), or three (red, green, blue)",
                          std::to_string(windows.size()));
  }
  if (!a.output.ends_with(".png")) {
    check_is_no_other_file(a.output, "a name that ends in .png, or a folder for pictures");
  }
  const auto study = io::read_study(a.input, a.study, context.progress);
  const auto& stack = study.stack;
  const auto slices = parse_slices(a.slices, stack.geometry.count());
  ViewOptions viewing;
  viewing.crop_to_head = a.crop;
  const SliceView view = a.as_stored ? stored_view(stack) : upright_view(stack, viewing);
  const auto channels = window_channels_8bit(stack.hu, windows, Rounding::truncate, {.threads = 0});

  std::vector<std::string> written;
  if (a.output.ends_with(".png")) {
    std::vector<Image> pictures;
    for (const auto slice : slices) pictures.push_back(picture(channels, view, slice));
    const auto count = std::int64_t(pictures.size());
    const auto columns = a.columns > 0 ? std::min(a.columns, count) : std::int64_t(std::ceil(std::sqrt(double(count))));
    io::write_png(a.output, tiled(pictures, columns));
    written.push_back(a.output);
  } else {
    std::error_code failed;
    fs::create_directories(a.output, failed);
    if (failed) throw Error(ErrorCode::io, a.output + ": cannot be made: " + failed.message());
    for (std::size_t i = 0; i < slices.size(); ++i) {
      context.progress("writing pictures", double(i) / double(slices.size()));
      const auto file = (fs::path(a.output) / numbered(slices[i])).string();
      io::write_png(file, picture(channels, view, slices[i]));
      written.push_back(file);
    }
    context.progress("writing pictures", 1);
  }
  if (context.json) {
    const json all{{"files", written}, {"assumptions", stack.assumptions}};
    std::printf("%s\n", all.dump(2, ' ', false, json::error_handler_t::replace).c_str());
  } else if (!context.quiet) {
    std::printf("%s: %zu of %lld slices\n", a.output.c_str(), slices.size(),
                static_cast<long long>(stack.geometry.count()));
    for (const auto& assumption : stack.assumptions) std::printf("  %s\n", assumption.c_str());
  }
}

}  // namespace

void add_window(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<WindowArguments>();
  auto& a = *arguments;
  auto* command = app.add_subcommand("window", "Slices as PNG pictures, through one window or three");
  command->add_option("INPUT", a.input, "DICOM folder, one DICOM file, or NIfTI file (.nii, .nii.gz)")->required();
  command
      ->add_option("OUTPUT", a.output,
                   "A file that ends in .png for all slices on one sheet, else a folder for 000.png, ...")
      ->required();
  std::string names;
  for (const auto& known : named_windows()) names.append(known.name).append(", ");
  command
      ->add_option("-w,--window", a.windows,
                   names + "or CENTRE,WIDTH in HU; given three times: red, green and blue. 8 bit, rounded down")
      ->capture_default_str();
  command->add_option("--slices", a.slices, "all, or indices from 0 as in 3,7-12")->capture_default_str();
  command->add_option("--columns", a.columns, "Of the sheet; 0: about as many as rows")
      ->check(zero_or_more())
      ->capture_default_str();
  command->add_flag("--as-stored", a.as_stored,
                    "Pixels as they lie in the file; else turned upright, right at the left");
  command->add_flag("--crop", a.crop, "Show the head alone")->excludes("--as-stored");
  add_study_options(*command, a.study);
  add_output_flags(*command, context, "Print what was written, as JSON");
  command->callback([arguments, &context] { window(*arguments, context); });
}

}  // namespace ichdet::cli
