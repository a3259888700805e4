#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "data.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/io/nifti.hpp"

using namespace ichdet;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path = fs::temp_directory_path() / ("ichdet_nifti_" + std::to_string(std::uintptr_t(this)));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
};

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Volume oblique(float step) {
  Eigen::Matrix4d affine = Eigen::Matrix4d::Identity();
  affine.topLeftCorner<3, 3>() << 0.45, 0, 0, 0, 0.4 * 0.96, -5 * 0.28, 0, 0.4 * 0.28, 5 * 0.96;
  affine.topRightCorner<3, 1>() << -110, -120, 40;
  Array3<float> hu({3, 4, 5});
  for (std::int64_t i = 0; i < hu.size(); ++i) hu.data()[i] = float(i) * step - 1000;
  return Volume(hu, Geometry({5, 4, 3}, affine));
}

}  // namespace

TEST_CASE("a volume survives NIfTI, compressed or not, and gives the same bytes twice") {
  const Folder folder;
  for (const float step : {1.0F, 0.37F}) {
    for (const char* name : {"a.nii", "a.nii.gz"}) {
      const auto volume = oblique(step);
      io::write_nifti(folder.path / name, volume);
      const auto first = bytes_of(folder.path / name);
      io::write_nifti(folder.path / name, volume);
      CHECK(bytes_of(folder.path / name) == first);
      const auto back = io::read_nifti(folder.path / name);
      CHECK(back.volume.geometry.same_as(volume.geometry));
      CHECK(std::equal(volume.hu.begin(), volume.hu.end(), back.volume.hu.begin()));
      CHECK(back.assumptions.empty());
    }
  }
  CHECK(fs::file_size(folder.path / "a.nii") == 352 + 60 * 4);
}

TEST_CASE("labels keep their names") {
  const Folder folder;
  Array3<std::uint8_t> values({1, 1, 3});
  values(0, 0, 2) = 2;
  const LabelMap labels(values, {"background", "IPH", "perilesional oedema"}, Geometry::aligned({3, 1, 1}, {1, 1, 5}));
  io::write_nifti(folder.path / "l.nii.gz", labels);
  const auto back = io::read_nifti_labels(folder.path / "l.nii.gz");
  CHECK(back.names == labels.names);
  CHECK(back.labels(0, 0, 2) == 2);
}

TEST_CASE("a damaged file is refused by name") {
  const Folder folder;
  const auto path = folder.path / "a.nii.gz";
  io::write_nifti(path, oblique(1));
  fs::resize_file(path, fs::file_size(path) / 2);
  CHECK_THROWS_AS(io::read_nifti(path), Error);
  CHECK_THROWS_WITH_AS(io::read_nifti(folder.path / "b.nii"),
                       ((folder.path / "b.nii").string() + ": cannot be opened for reading").c_str(), Error);
  io::write_nifti(folder.path / "c.nii", oblique(1));
  CHECK_THROWS_AS(io::read_nifti(folder.path / "c.nii", {.max_voxels = 10}), Error);
}

TEST_CASE("phe_sich is read on one grid with its labels") {
  const auto root = test::real_data("phe_sich");
  if (!root) return;
  const auto scan = io::read_nifti(*root / "0002_ct.nii.gz").volume;
  const auto labels = io::read_nifti_labels(*root / "0002_label.nii.gz");
  CHECK(scan.geometry.same_as(labels.geometry));
  CHECK(scan.geometry.size() == Geometry::Size{256, 256, 32});
  CHECK(scan.geometry.direction().isIdentity(1e-6));
}
