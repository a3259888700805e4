#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>

#include "ichdet/core/error.hpp"
#include "ichdet/io/dicom_write.hpp"
#include "ichdet/io/nifti.hpp"
#include "ichdet/io/study.hpp"

using namespace ichdet;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path = fs::temp_directory_path() / ("ichdet_study_" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
};

}  // namespace

TEST_CASE("a NIfTI study is read from the feet up and labels return onto the file's own grid") {
  const Folder folder;
  // x runs to the right, y to the head, z to the back: coronal storage.
  Eigen::Matrix4d affine = Eigen::Matrix4d::Zero();
  affine(0, 0) = -1;
  affine(2, 1) = 5;
  affine(1, 2) = 2;
  affine(3, 3) = 1;
  const Geometry grid({3, 4, 2}, affine);
  Volume volume(Array3<float>(grid.shape()), grid);
  for (int i = 0; i < 24; ++i) volume.hu.data()[i] = float(i);
  io::write_nifti(folder.path / "a.nii.gz", volume);

  const auto study = io::read_study(folder.path / "a.nii.gz");
  CHECK(study.stack.geometry.shape() == std::array<std::int64_t, 3>{4, 2, 3});
  CHECK(study.stack.geometry.normal().isApprox(Eigen::Vector3d::UnitZ()));
  CHECK(study.stack.hu(3, 1, 2) == volume.hu(1, 3, 0));

  SliceLabels labels(Array3<std::uint8_t>(study.stack.geometry.shape()), {"none", "blood"}, study.stack.geometry);
  labels.labels(3, 1, 2) = 1;
  const auto back = io::on_source_grid(labels, study);
  CHECK(back.geometry.same_as(grid));
  for (int z = 0; z < 2; ++z) {
    for (int y = 0; y < 4; ++y) {
      for (int x = 0; x < 3; ++x) CHECK(int(back.labels(z, y, x)) == int(z == 1 && y == 3 && x == 0));
    }
  }
}

TEST_CASE("a DICOM study keeps its planes; labels get the nominal grid") {
  const Folder folder;
  std::vector<SlicePlane> planes(3);
  for (int k = 0; k < 3; ++k) {
    planes[std::size_t(k)].position_mm = Eigen::Vector3d(0, 0, k < 2 ? 5.0 * k : 12.0);
    planes[std::size_t(k)].thickness_mm = k < 2 ? 5 : 7;
  }
  io::write_series(SliceStack(SliceGeometry(planes, 8, 8), Array3<float>({3, 8, 8}, 40.0F)), folder.path / "dicom");
  const auto study = io::read_study(folder.path / "dicom");
  CHECK_FALSE(study.source_grid.has_value());
  CHECK(study.stack.geometry.offsets_mm() == std::vector<double>{0, 5, 12});
  const SliceLabels labels(Array3<std::uint8_t>({3, 8, 8}), {"none"}, study.stack.geometry);
  CHECK(io::on_source_grid(labels, study).geometry.spacing_mm().z() == doctest::Approx(6));
}

TEST_CASE("what is not there is refused by name") {
  CHECK_THROWS_WITH_AS(io::read_study("/no/such/scan"), "/no/such/scan: no such file or folder", Error);
}
