#pragma once

#include <cmath>
#include <filesystem>
#include <random>
#include <string>

#include "ichdet/core/slice_stack.hpp"

namespace ichdet::test {

/// A folder of its own, gone at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::random_device random;
    path_ =
        std::filesystem::temp_directory_path() / ("ichdet-io-" + std::to_string(random()) + std::to_string(random()));
    std::filesystem::create_directories(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// `count` slices of 24 rows x 20 columns, 5 mm apart along z, tilted by 15 degrees; every pixel has a value of its
/// own.
inline SliceStack tilted_stack(int count, double gap_mm = 5) {
  const double angle = 15 * 3.14159265358979323846 / 180;
  std::vector<SlicePlane> planes(static_cast<std::size_t>(count));
  for (std::size_t k = 0; k < planes.size(); ++k) {
    planes[k].position_mm = {-100, -120, 30 + gap_mm * double(k)};
    planes[k].along_column = {0, std::cos(angle), -std::sin(angle)};
    planes[k].row_spacing_mm = 0.5;
    planes[k].column_spacing_mm = 0.45;
    planes[k].thickness_mm = gap_mm;
  }
  Array3<float> hu({count, 24, 20});
  for (std::int64_t i = 0; i < hu.size(); ++i) hu.data()[i] = float((i * 37) % 3000 - 1000);
  return {SliceGeometry(std::move(planes), 24, 20), std::move(hu)};
}

}  // namespace ichdet::test
