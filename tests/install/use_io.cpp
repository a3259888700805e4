// Writes a small DICOM series, reads it back and windows it: what a user who wants no networks does.
#include <cstdio>
#include <filesystem>
#include <ichdet/io/dicom.hpp>
#include <ichdet/io/dicom_write.hpp>
#include <ichdet/preprocess/window.hpp>

int main() {
  std::vector<ichdet::SlicePlane> planes(3);
  for (std::size_t i = 0; i < planes.size(); ++i) {
    planes[i].position_mm.z() = 5.0 * double(i);
    planes[i].thickness_mm = 5;
  }
  ichdet::Array3<float> hu({3, 16, 16}, 40.0F);
  hu(1, 8, 8) = 65.0F;
  const ichdet::SliceStack written(ichdet::SliceGeometry(planes, 16, 16), hu);

  const auto folder = std::filesystem::temp_directory_path() / ("ichdet_use_io_" ICHDET_PROJECT);
  std::filesystem::remove_all(folder);
  ichdet::io::write_series(written, folder);
  const auto read = ichdet::io::read_dicom({folder});
  std::filesystem::remove_all(folder);
  const auto brain = ichdet::window(read.hu, ichdet::parse_window("brain"));
  const bool right = read.hu(1, 8, 8) == 65.0F && brain(0, 0, 0) == 0.5F && read.geometry.count() == 3;
  std::printf("%s\n", right ? "the series came back as it was written" : "the series came back CHANGED");
  return right ? 0 : 1;
}
