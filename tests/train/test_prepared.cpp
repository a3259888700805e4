#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

#include "ichdet/core/error.hpp"
#include "ichdet/io/dicom.hpp"
#include "ichdet/io/dicom_write.hpp"
#include "ichdet/io/nifti.hpp"
#include "ichdet/io/study.hpp"
#include "ichdet/phantom/phantom.hpp"
#include "ichdet/pipeline/slice_images.hpp"
#include "ichdet/preprocess/grid.hpp"
#include "ichdet/preprocess/resample.hpp"
#include "ichdet/train/prepared.hpp"
#include "io/synthetic.hpp"

using namespace ichdet;
using namespace ichdet::train;
using ichdet::test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

/// Reads images of 20 x 18 pixels, three neighbours in one window.
ModelSpec image_model(Task task = Task::slice_segmentation) {
  ModelSpec model;
  model.task = task;
  model.image.size = {20, 18};
  model.classes = {{"background", false}, {"blood", true}};
  for (const std::int64_t neighbour : {-1, 0, 1}) {
    ChannelSpec channel;
    channel.low_hu = -100;
    channel.high_hu = 900;
    channel.slice = neighbour;
    model.channels.push_back(channel);
  }
  return model;
}

ModelSpec volume_model() {
  ModelSpec model;
  model.task = Task::segmentation;
  model.spacing_mm = {0.7, 0.8, 3};
  model.classes = {{"background", false}, {"blood", true}, {"oedema", false}};
  return model;
}

StudyEntry entry_of(const fs::path& scan, const fs::path& mask = {}) {
  StudyEntry entry;
  entry.study = entry.patient = "s";
  entry.group = "test";
  entry.files = {scan};
  entry.mask = mask;
  entry.labels = {NAN};
  entry.source = "m.csv, line 2";
  return entry;
}

const std::vector<std::string> any{"any"};
constexpr float hu_loss = 1 / 32.f + 3e-4f;  ///< half a step, and float32's rounding at thousands of HU

/// A box of `value` in the middle of slices 1 and 2 of a mask over the stack's nominal grid.
LabelMap box_mask(const SliceStack& stack, std::uint8_t value) {
  LabelMap mask(Array3<std::uint8_t>(stack.hu.shape()), {"none", "blood", "oedema"}, stack.geometry.nominal());
  for (std::int64_t z = 1; z <= 2; ++z) {
    for (std::int64_t y = 8; y < 16; ++y) {
      for (std::int64_t x = 6; x < 12; ++x) mask.labels(z, y, x) = value;
    }
  }
  return mask;
}

/// The tilted stack as DICOM files, and a mask of it.
struct Scan {
  TemporaryFolder folder;
  fs::path dicom = folder.path() / "dicom", mask = folder.path() / "mask.nii.gz";
  SliceStack stack;
  Scan() : stack(io::read_dicom(io::write_series(test::tilted_stack(5), dicom))) {
    io::write_nifti(mask, box_mask(stack, 1));
  }
};

template <class T>
bool same(const Array3<T>& a, const Array3<T>& b) {
  return a.shape() == b.shape() && std::equal(a.begin(), a.end(), b.begin());
}

std::int64_t count(const Array3<std::uint8_t>& mask, int value) { return std::count(mask.begin(), mask.end(), value); }

}  // namespace

TEST_CASE("whole HU survive 16 bits; others lose 1/32 at most; what lies beyond is clipped") {
  Array3<float> hu({1, 1, 5000});
  for (int i = 0; i < 5000; ++i) hu.data()[i] = float(i) - 1024;
  hu.data()[4999] = NAN;
  const auto back = CompactHu(hu).slices(0, 1);
  for (int i = 0; i < 4096; ++i) CHECK(back.data()[i] == hu.data()[i]);
  CHECK(back.data()[4500] == 3071.9375f);
  CHECK(back.data()[4999] == -1024);
  for (int i = 0; i < 5000; ++i) hu.data()[i] = -1030 + 0.0173f * float(i);
  const auto fine = CompactHu(hu).slices(0, 1);
  for (int i = 400; i < 5000; ++i) CHECK(std::abs(fine.data()[i] - hu.data()[i]) <= hu_loss);
  CHECK(fine.data()[0] == -1024);
}

TEST_CASE("prepared images show a network what SliceImages shows it of the scan itself") {
  const Scan scan;
  const auto check = [&](const ModelSpec& model, bool exact) {
    const auto study = prepare_study(entry_of(scan.dicom), any, model);
    REQUIRE(study.geometry.shape() == std::array<std::int64_t, 3>{5, model.image.size[0], model.image.size[1]});
    std::vector<std::int64_t> all(5);
    std::iota(all.begin(), all.end(), 0);
    auto again = model;  // at the network's own size nothing is resized
    again.image.fit = ImageSpec::Fit::crop;
    again.image.spacing_mm = 0;
    again.image.centre = ImageSpec::Centre::image;
    const auto expected = SliceImages(scan.stack, model)(all).contiguous();
    const auto found = SliceImages(stack_of(study, 0, 5), again)(all).contiguous();
    REQUIRE(found.sizes() == expected.sizes());
    float most = 0;
    for (std::int64_t i = 0; i < found.numel(); ++i) {
      most = std::max(most, std::abs(found.data_ptr<float>()[i] - expected.data_ptr<float>()[i]));
    }
    const float width = float(model.channels[0].high_hu - model.channels[0].low_hu);
    CHECK(most <= (exact ? 0 : hu_loss / width));
  };
  auto model = image_model();
  check(model, false);  // resized
  model.image.size = {24, 20};
  check(model, true);  // as acquired
  model.image.size = {28, 16};
  model.image.fit = ImageSpec::Fit::crop;
  check(model, true);  // padded and cut
  model.image.clip_hu = {{0, 500}};
  for (auto& channel : model.channels) channel.low_hu = 0, channel.high_hu = 500;
  check(model, true);
  model.image.spacing_mm = 0.61;
  check(model, false);
}

TEST_CASE("an image's pixels lie where the scan's do") {
  const Scan scan;
  auto model = image_model();
  model.image.size = {12, 12};  // 24 x 20 becomes 12 x 10 and a column of air at each side
  const auto study = prepare_study(entry_of(scan.dicom), any, model);
  const auto& from = scan.stack.geometry.planes()[3];
  const auto& to = study.geometry.planes()[3];
  CHECK(to.row_spacing_mm == doctest::Approx(1.0));
  CHECK(to.column_spacing_mm == doctest::Approx(0.9));
  CHECK(to.to_lps(0, 1).isApprox(from.to_lps(0.5, 0.5), 1e-9));
  CHECK(to.to_lps(11, 10).isApprox(from.to_lps(22.5, 18.5), 1e-9));
}

TEST_CASE("a stack whose planes look down is turned upright, and over, with its mask and labels") {
  const TemporaryFolder folder;
  const auto plain = test::tilted_stack(5);
  auto planes = plain.geometry.planes();
  for (auto& plane : planes) {  // columns from the other side: the normal looks down, so slices from the top
    plane.position_mm = plane.to_lps(0, 19);
    plane.along_row = -plane.along_row;
  }
  std::ranges::reverse(planes);
  Array3<float> hu(plain.hu.shape());
  for (int z = 0; z < 5; ++z) {
    for (int y = 0; y < 24; ++y) {
      for (int x = 0; x < 20; ++x) hu(z, y, x) = plain.hu(4 - z, y, 19 - x);
    }
  }
  const SliceStack mirrored(SliceGeometry(planes, 24, 20), hu);
  io::write_series(mirrored, folder.path() / "a");
  io::write_series(plain, folder.path() / "b");
  io::write_nifti(folder.path() / "mask.nii.gz", box_mask(plain, 1));
  auto model = image_model();
  auto turned = entry_of(folder.path() / "a", folder.path() / "mask.nii.gz");
  turned.slice_labels[4] = {1};
  auto straight = turned;
  straight.files = {folder.path() / "b"};
  straight.slice_labels = {{0, {1}}};
  const auto found = prepare_study(turned, any, model), expected = prepare_study(straight, any, model);
  CHECK(same(found.hu.steps, expected.hu.steps));
  CHECK(same(found.mask, expected.mask));
  CHECK(found.labels == expected.labels);
  CHECK(found.labels[0][0] == 1);
  for (std::size_t k = 0; k < 5; ++k) {
    CHECK(found.geometry.planes()[k].position_mm.isApprox(expected.geometry.planes()[k].position_mm, 1e-6));
  }
}

TEST_CASE("a mask follows the pixels, and its blood labels slices and study") {
  const Scan scan;
  auto model = image_model();
  model.image.size = {24, 20};
  const auto study = prepare_study(entry_of(scan.dicom, scan.mask), any, model);
  CHECK(same(study.mask, box_mask(scan.stack, 1).labels));
  CHECK(study.labels == std::vector<std::vector<float>>{{0}, {1}, {1}, {0}, {0}});
  CHECK(study.study_labels == std::vector<float>{1});

  model.image.size = {12, 10};  // every pixel is a mean of 16 with triangular weights
  const auto small = prepare_study(entry_of(scan.dicom, scan.mask), any, model);
  CHECK(count(small.mask, 1) == 2 * 4 * 3);
  CHECK(small.mask(1, 4, 3) == 1);
  CHECK(small.mask(1, 3, 3) == 0);
}

TEST_CASE("mask_classes makes classes of a file's values; what it does not name is refused") {
  const Scan scan;
  io::write_nifti(scan.mask, box_mask(scan.stack, 2));
  PreparationOptions options;
  options.mask_classes = {{1, 1}, {2, 0}};
  const auto study = prepare_study(entry_of(scan.dicom, scan.mask), any, image_model(), options);
  CHECK(count(study.mask, 0) == study.mask.size());
  CHECK(study.labels[1][0] == 0);
  const auto refused = [&](const std::string& part) {
    CHECK_THROWS_WITH_AS(prepare_study(entry_of(scan.dicom, scan.mask), any, image_model(), options),
                         doctest::Contains(part.c_str()), Error);
  };
  options.mask_classes = {{1, 1}};
  refused("mask_classes");
  refused("m.csv, line 2");
  options.mask_classes.clear();
  refused("classes");
}

TEST_CASE("a mask that does not lie on the scan's slices is refused") {
  const Scan scan;
  auto mask = box_mask(scan.stack, 1);
  Eigen::Matrix4d affine = mask.geometry.affine();
  affine(0, 3) += 0.3;
  io::write_nifti(scan.mask, LabelMap(mask.labels, mask.names, Geometry(mask.geometry.size(), affine)));
  CHECK_THROWS_WITH_AS(prepare_study(entry_of(scan.dicom, scan.mask), any, image_model()), doctest::Contains("0.3 mm"),
                       Error);
  PreparationOptions loose;
  loose.mask_tolerance_mm = 0.5;
  CHECK(count(prepare_study(entry_of(scan.dicom, scan.mask), any, image_model(), loose).mask, 1) > 0);
  const auto smaller = mask.geometry.crop({0, 0, 0}, {20, 24, 4});
  io::write_nifti(scan.mask, LabelMap(Array3<std::uint8_t>(smaller.shape()), mask.names, smaller));
  CHECK_THROWS_WITH_AS(prepare_study(entry_of(scan.dicom, scan.mask), any, image_model()), doctest::Contains("grid"),
                       Error);
}

TEST_CASE("without a mask, slices without blood have an empty one, and the others an unknown one") {
  const Scan scan;
  auto entry = entry_of(scan.dicom);
  entry.slice_labels[1] = {0};
  entry.slice_labels[3] = {1};
  const auto study = prepare_study(entry, any, image_model());
  CHECK(std::isnan(study.labels[0][0]));
  CHECK(study.labels[1][0] == 0);
  CHECK(study.study_labels[0] == 1);
  CHECK(count(study.mask, 0) == 20 * 18);
  CHECK(count(study.mask, unknown_label) == 4 * 20 * 18);
  CHECK(study.mask(1, 5, 5) == 0);

  entry.slice_labels.clear();
  CHECK(prepare_study(entry, any, image_model()).mask.empty());
  entry.labels = {0};
  const auto plain = prepare_study(entry, any, image_model());
  CHECK(count(plain.mask, 0) == plain.mask.size());
  CHECK(plain.labels[4][0] == 0);
  entry.slice_labels[5] = {0};
  CHECK_THROWS_WITH_AS(prepare_study(entry, any, image_model()), doctest::Contains("found 5"), Error);
  entry.slice_labels.clear();
  entry.slices = 6;
  CHECK_THROWS_WITH_AS(prepare_study(entry, any, image_model()), doctest::Contains("6 slices"), Error);
}

TEST_CASE("what is true of a study of one slice is true of the slice") {
  const TemporaryFolder folder;
  io::write_series(test::tilted_stack(1), folder.path() / "one");
  auto entry = entry_of(folder.path() / "one");
  entry.labels = {1};
  const auto study = prepare_study(entry, any, image_model());
  CHECK(study.labels == std::vector<std::vector<float>>{{1}});
  CHECK(study.contradictions.empty());
}

TEST_CASE("labels that the mask contradicts are said") {
  const Scan scan;  // with blood on slices 1 and 2
  auto entry = entry_of(scan.dicom, scan.mask);
  CHECK(prepare_study(entry, any, image_model()).contradictions.empty());
  entry.slice_labels = {{1, {0}}, {2, {1}}, {4, {1}}};
  const auto said = prepare_study(entry, any, image_model()).contradictions;
  REQUIRE(said.size() == 2);
  CHECK(said[0] == "labelled as without blood, and the mask shows some: slices 1.");
  CHECK(said[1] == "labelled as with blood, and the mask shows none: slices 4.");
  entry.slice_labels.clear();
  entry.labels = {0};
  const auto whole = prepare_study(entry, any, image_model()).contradictions;
  REQUIRE(whole.size() == 1);
  CHECK(whole[0] == "labelled as without blood, and the mask shows some: slices 1, 2.");
  io::write_nifti(scan.mask, box_mask(scan.stack, 0));
  entry.labels = {1};
  const auto none = prepare_study(entry, any, image_model()).contradictions;
  REQUIRE(none.size() == 1);
  CHECK(none[0].starts_with("the study is labelled as with blood"));
}

TEST_CASE("a prepared volume is what a detector resamples, with its mask") {
  const Scan scan;
  const auto model = volume_model();
  const auto study = prepare_study(entry_of(scan.dicom, scan.mask), any, model);
  const auto grid = segmentation_grid(scan.stack.geometry, Eigen::Vector3d(model.spacing_mm.data()));
  const float darkest = *std::min_element(scan.stack.hu.begin(), scan.stack.hu.end());
  const auto expected = resample_to(scan.stack, grid, {.outside = darkest});
  REQUIRE(study.geometry.shape() == grid.shape());
  CHECK(study.geometry.nominal().same_as(grid));
  const auto hu = study.hu.slices(0, study.geometry.count());
  for (std::int64_t i = 0; i < hu.size(); ++i) CHECK(std::abs(hu.data()[i] - expected.hu.data()[i]) <= hu_loss);
  const SliceLabels labels(box_mask(scan.stack, 1).labels, {"none", "blood"}, scan.stack.geometry);
  CHECK(same(study.mask, resample_to(labels, grid).labels));
  CHECK(count(study.mask, 1) > 50);
  CHECK(study.study_labels[0] == 1);
}

TEST_CASE("the cache gives the same study again, notices damage, and knows what matters") {
  const Scan scan;
  PreparationOptions options;
  options.cache = scan.folder.path() / "cache";
  const auto entry = entry_of(scan.dicom, scan.mask);
  const auto files = [&] {
    std::vector<fs::path> found;
    for (const auto& file : fs::directory_iterator(options.cache)) found.push_back(file.path());
    return found;
  };
  const auto first = prepare_study(entry, any, image_model(), options);
  REQUIRE(files().size() == 1);
  const auto file = files()[0];
  const auto made = fs::last_write_time(file);
  const auto expect_same = [&] {
    const auto again = prepare_study(entry, any, image_model(), options);
    CHECK(same(again.hu.steps, first.hu.steps));
    CHECK(same(again.mask, first.mask));
    CHECK(again.labels == first.labels);
    CHECK(again.assumptions == first.assumptions);
    CHECK(again.geometry.offsets_mm() == first.geometry.offsets_mm());
    CHECK(again.geometry.planes()[4].to_lps(3, 4) == first.geometry.planes()[4].to_lps(3, 4));
  };
  expect_same();
  CHECK(fs::last_write_time(file) == made);  // read, not made again

  const auto size = fs::file_size(file);
  const auto damage = [&](const auto& how) {
    how();
    expect_same();
    CHECK(fs::file_size(file) == size);
  };
  damage([&] { fs::resize_file(file, size - 1); });
  damage([&] { fs::resize_file(file, 3); });
  damage([&] { fs::resize_file(file, 0); });
  for (const auto place : {std::uintmax_t{4}, std::uintmax_t{40}, size / 2, size - 2}) {
    damage([&] {
      std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
      stream.seekg(std::streamoff(place));
      const char byte = char(stream.get() ^ 1);
      stream.seekp(std::streamoff(place));
      stream.put(byte);
    });
  }
  CHECK(files().size() == 1);

  auto model = image_model();
  model.channels.pop_back();  // windows come later
  prepare_study(entry, any, model, options);
  CHECK(files().size() == 1);
  model.image.clip_hu = {{0, 80}};
  prepare_study(entry, any, model, options);
  CHECK(files().size() == 2);
  options.mask_classes = {{1, 0}};
  CHECK(count(prepare_study(entry, any, model, options).mask, 1) == 0);
  CHECK(files().size() == 3);
  io::write_nifti(scan.mask, box_mask(scan.stack, 0));
  prepare_study(entry, any, model, options);
  CHECK(files().size() == 4);
}

TEST_CASE("a data set is prepared in its order, with counts, whatever the threads") {
  const TemporaryFolder folder;
  Dataset data;
  data.label_names = any;
  for (int i = 0; i < 6; ++i) {
    const auto path = folder.path() / std::string("s").append(std::to_string(i));
    io::write_series(test::tilted_stack(3 + i), path);
    data.studies.push_back(entry_of(path));
    data.studies.back().study = path.filename().string();
  }
  PreparationOptions options;
  options.cache = folder.path() / "cache";
  for (const int threads : {3, 1}) {
    options.threads = threads;
    std::vector<std::string> said;
    Progress progress;
    progress.report = [&](std::string_view stage, double) { said.emplace_back(stage); };
    const auto studies = prepare_studies(data, image_model(), options, progress);
    REQUIRE(studies.size() == 6);
    for (int i = 0; i < 6; ++i) CHECK(studies[std::size_t(i)].geometry.count() == 3 + i);
    CHECK(studies[5].study == "s5");
    CHECK(said.back() == "prepare 6 of 6");
  }
  data.studies[2].files = {folder.path() / "nowhere"};
  CHECK_THROWS_AS(prepare_studies(data, image_model(), options), Error);
}

TEST_CASE("anatomy is kept in 4 bytes a pixel, on disk too; without a head there is none") {
  const TemporaryFolder folder;
  PhantomOptions small;
  small.rows = small.columns = 64;
  small.pixel_mm = 3.6;
  small.slices = 28;
  io::write_series(make_phantom(small).stack, folder.path() / "head");
  auto model = image_model();
  model.image.size = {64, 64};
  PreparationOptions options;
  options.anatomy = true;
  options.cache = folder.path() / "cache";
  prepare_study(entry_of(folder.path() / "head"), any, model, options);
  const auto study = prepare_study(entry_of(folder.path() / "head"), any, model, options);
  REQUIRE(study.anatomy);
  const auto expected = anatomy_from_scan(stack_of(study, 0, study.geometry.count()));
  const auto found = anatomy_of(study, 2, 2);
  REQUIRE(found.depth_mm.shape() == std::array<std::int64_t, 3>{2, 64, 64});
  std::int64_t inside = 0;
  for (std::int64_t z = 0; z < 2; ++z) {
    for (std::int64_t y = 0; y < 64; ++y) {
      for (std::int64_t x = 0; x < 64; ++x) {
        const float depth = expected.depth_mm(z + 2, y, x);
        inside += depth >= 0;
        CHECK(std::abs(found.depth_mm(z, y, x) - depth) <= 0.151f);
        CHECK(std::abs(found.ventricle(z, y, x) - expected.ventricle(z + 2, y, x)) <= 0.51f / 255);
        CHECK(std::abs(found.csf(z, y, x) - expected.csf(z + 2, y, x)) <= 0.51f / 255);
        CHECK(std::abs(found.midline_mm(z, y, x) - expected.midline_mm(z + 2, y, x)) <= 0.051f);
      }
    }
  }
  CHECK(inside > 500);
  CHECK(found.head_to_lps.isApprox(expected.head_to_lps));

  io::write_series(test::tilted_stack(4), folder.path() / "noise");
  const auto none = prepare_study(entry_of(folder.path() / "noise"), any, model, options);
  CHECK(!none.anatomy);
  CHECK(none.assumptions.back().find("No anatomy") == 0);
  CHECK_THROWS_AS(anatomy_of(none, 0, 1), Error);
}
