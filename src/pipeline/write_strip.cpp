#include "ichdet/pipeline/write_strip.hpp"

#include <algorithm>
#include <cmath>

#include "ichdet/core/error.hpp"
#include "ichdet/io/nifti.hpp"
#include "ichdet/io/png.hpp"
#include "ichdet/preprocess/grid.hpp"
#include "ichdet/preprocess/resample.hpp"
#include "ichdet/report/draw.hpp"
#include "ichdet/report/view.hpp"

namespace ichdet {
namespace {

constexpr float outside_hu = -1024;
constexpr std::int64_t most_tiles = 30, tile_columns = 6, tile_width = 200;

bool on_edge(const Array2f& mask, std::int64_t r, std::int64_t c) {
  const auto inside = [&](std::int64_t row, std::int64_t column) {
    return row >= 0 && column >= 0 && row < mask.extent(0) && column < mask.extent(1) && mask(row, column) >= 0.5f;
  };
  return inside(r, c) && !(inside(r - 1, c) && inside(r + 1, c) && inside(r, c - 1) && inside(r, c + 1));
}

/// One slice through the brain window W80 L40, the mask's outline on it.
Image tile(const SliceStack& stack, const Array3<float>& mask, const SliceView& view, std::int64_t slice) {
  const auto rows =
      std::llround(double(tile_width) * (double(view.rows) * view.row_mm) / (double(view.columns) * view.column_mm));
  const auto hu = resize(shown(view, stack.hu, slice), rows, tile_width);
  const auto brain = resize(shown(view, mask, slice), rows, tile_width, Kernel::linear);
  const auto color = draw::label_color(1);
  Image image(rows, tile_width, 3);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < tile_width; ++c) {
      std::fill_n(image.at(r, c), 3, std::uint8_t(std::clamp(hu(r, c), 0.f, 80.f) * (255.f / 80.f)));
      if (on_edge(brain, r, c)) draw::blend(image, c, r, color, 1);
    }
  }
  draw::text(image, 4, 4 + draw::cap_height(draw::Face::small), std::to_string(slice), draw::Face::small,
             {255, 255, 255}, true);
  return image;
}

Image sheet(const SliceStack& stack, const SliceLabels& brain) {
  const auto view = upright_view(stack, {}, brain.labels);
  Array3<float> mask(brain.labels.shape());
  std::copy(brain.labels.begin(), brain.labels.end(), mask.begin());
  const auto count = std::min(most_tiles, view.slices);
  std::vector<Image> tiles;
  for (std::int64_t i = 0; i < count; ++i) {
    tiles.push_back(
        tile(stack, mask, view, view.first_slice + i * (view.slices - 1) / std::max<std::int64_t>(1, count - 1)));
  }
  const auto height = tiles.front().rows, columns = std::min(tile_columns, count);
  Image all((count + columns - 1) / columns * height, columns * tile_width, 3);
  for (std::int64_t i = 0; i < count; ++i) {
    draw::paste(all, i % columns * tile_width, i / columns * height, tiles[std::size_t(i)]);
  }
  return all;
}

}  // namespace

StrippedStack strip_stack(const SliceStack& stack, const SkullStripper& stripper, int threads,
                          const Progress& progress) {
  const auto grid = segmentation_grid(stack.geometry, Eigen::Vector3d::Ones());
  const auto volume = resample_to(stack, grid, {.threads = threads});
  auto found = stripper(volume, progress);
  const LabelMap on_grid(found.mask, {"background", "brain"}, grid);
  const auto voxels = std::ranges::count(found.mask, 1);
  return {resample_to(on_grid, stack.geometry, threads), double(voxels) * grid.voxel_ml(), std::move(found)};
}

void write_strip(const StrippedStack& stripped, const io::Study& study, const std::filesystem::path& folder) {
  const auto& stack = study.stack;
  io::write_nifti(folder / "brain_mask.nii.gz", io::on_source_grid(stripped.brain, study));
  auto hu = stack.hu.clone();
  std::transform(hu.begin(), hu.end(), stripped.brain.labels.begin(), hu.begin(),
                 [](float value, std::uint8_t inside) { return inside != 0 ? value : outside_hu; });
  Volume brain(hu, stack.geometry.nominal());
  if (study.source_grid) {  // the same lattice, axes permuted and flipped
    brain = resample_to(brain, *study.source_grid, {.interpolation = Interpolation::nearest});
  }
  io::write_nifti(folder / "brain.nii.gz", brain);
  io::write_png(folder / "sheet.png", sheet(stack, stripped.brain));
}

}  // namespace ichdet
