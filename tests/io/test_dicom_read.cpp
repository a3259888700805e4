#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

#include "data.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/io/dicom.hpp"
#include "ichdet/io/dicom_header.hpp"
#include "ichdet/io/dicom_tags.hpp"
#include "ichdet/io/dicom_write.hpp"
#include "synthetic.hpp"

using namespace ichdet;
using test::TemporaryFolder;

namespace {

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::filesystem::path written(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::remove(path);  // some file systems flush to disk what overwrites a file
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::string little(std::uint64_t value, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes.push_back(char(value >> (8 * i)));
  return bytes;
}

/// Preamble and file meta information of a file in explicit (or another) encoding.
std::string preamble(std::string syntax = "1.2.840.10008.1.2.1") {
  if (syntax.size() % 2 != 0) syntax.push_back('\0');
  return std::string(128, '\0') + "DICM" + little(0x00100002, 4) + "UI" + little(syntax.size(), 2) + syntax;
}

std::string sequence_head(std::uint32_t tag, std::uint32_t length) {
  return little(tag >> 16, 2) + little(tag & 0xFFFF, 2) + "SQ" + little(0, 2) + little(length, 4);
}

const std::string open_item = little(0xE000FFFE, 4) + little(0xFFFFFFFF, 4);

/// The code of the error that reading the header raises.
ErrorCode refusal(const std::filesystem::path& path, std::string* message = nullptr) {
  try {
    io::read_dicom_header(path);
  } catch (const Error& e) {
    if (message != nullptr) *message = e.what();
    return e.code();
  }
  FAIL("no error");
  return ErrorCode::io;
}

}  // namespace

TEST_CASE("what was written is read back, tilt, spacing and identity included") {
  const TemporaryFolder folder;
  auto stack = test::tilted_stack(6, 4);
  stack.identity.series_description = "TEST";
  stack.identity.convolution_kernel = "H31s";
  io::write_series(stack, folder.path());
  const auto again = io::read_dicom({folder.path()});
  CHECK(std::equal(stack.hu.begin(), stack.hu.end(), again.hu.begin(), again.hu.end()));
  CHECK(again.padding.empty());
  CHECK(again.identity.convolution_kernel == "H31s");
  CHECK(again.assumptions.empty());
  CHECK(again.geometry.tilt_degrees() == doctest::Approx(15).epsilon(1e-6));
  for (std::size_t k = 0; k < 6; ++k) {
    CHECK((again.geometry.planes()[k].position_mm - stack.geometry.planes()[k].position_mm).norm() < 1e-9);
    CHECK(again.geometry.planes()[k].thickness_mm == 4);
  }
}

TEST_CASE("scanning stops at the pixels") {
  const TemporaryFolder folder;
  const auto files = io::write_series(test::tilted_stack(2), folder.path());
  const auto header = io::read_dicom_header(files[0]);
  CHECK(header.pixel_tag == io::tag::pixel_data);
  CHECK(header.pixel_bytes == 24 * 20 * 2);
  CHECK(header.file_bytes == header.pixel_offset + header.pixel_bytes);
  CHECK(header.data.find(io::tag::pixel_data) == nullptr);
}

TEST_CASE("a slice taken away is missed, unless gaps are allowed") {
  const TemporaryFolder folder;
  const auto files = io::write_series(test::tilted_stack(8), folder.path());
  std::filesystem::remove(files[3]);
  try {
    io::read_dicom({folder.path()});
    FAIL("no error");
  } catch (const Error& e) {
    CHECK(e.code() == ErrorCode::geometry);
    CHECK(std::string(e.what()).find("0003.dcm") != std::string::npos);
  }
  io::DicomReadOptions options;
  options.allow_gaps = true;
  const auto stack = io::read_dicom({folder.path()}, options);
  CHECK(stack.geometry.count() == 7);
  CHECK(stack.assumptions.size() == 1);
}

TEST_CASE("a single slice states its thickness, or the caller does") {
  const TemporaryFolder folder;
  const auto files = io::write_series(test::tilted_stack(1, 3), folder.path());
  CHECK(io::read_dicom({files[0]}).geometry.extents_mm() == std::vector<double>{3});
  io::DicomReadOptions options;
  options.slice_thickness_mm = 2;
  CHECK(io::read_dicom({files[0]}, options).geometry.extents_mm() == std::vector<double>{2});
}

TEST_CASE("reading can be stopped, and tells how far it is") {
  const TemporaryFolder folder;
  io::write_series(test::tilted_stack(3), folder.path());
  double last = 0;
  Progress progress;
  progress.report = [&](std::string_view, double fraction) { last = fraction; };
  io::read_dicom({folder.path()}, {}, {}, progress);
  CHECK(last == 1);
  std::stop_source stop;
  stop.request_stop();
  progress.stop = stop.get_token();
  CHECK_THROWS_AS(io::read_dicom({folder.path()}, {}, {}, progress), Error);
}

TEST_CASE("a limit on memory holds") {
  const TemporaryFolder folder;
  io::write_series(test::tilted_stack(3), folder.path());
  io::DicomReadOptions options;
  options.max_bytes = 1000;
  CHECK_THROWS_AS(io::read_dicom({folder.path()}, options), Error);
}

TEST_CASE("files that are none are refused with file and tag") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.dcm";
  std::string message;
  CHECK(refusal(written(path, "")) == ErrorCode::dicom);
  CHECK(refusal(written(path, std::string(5000, 'x'))) == ErrorCode::dicom);
  CHECK(refusal(written(path, std::string(128, '\0') + "DICM"), &message) == ErrorCode::dicom);
  CHECK(message.find("x.dcm, TransferSyntaxUID (0002,0010): expected a UID, found nothing") != std::string::npos);
  CHECK(refusal(folder.path() / "absent") == ErrorCode::io);
  CHECK(refusal(folder.path()) == ErrorCode::io);

  const std::string huge = preamble() + little(0x00280008, 4) + "UN" + little(0, 2) + little(0xFFFFFFF0, 4) + "abc";
  CHECK(refusal(written(path, huge)) == ErrorCode::dicom);
  const std::string odd_vr = preamble() + little(0x00280008, 4) + std::string("\x01\x02") + little(2, 2) + "ab";
  CHECK(refusal(written(path, odd_vr)) == ErrorCode::dicom);
  const std::string open_end = preamble() + sequence_head(0x52009230, 0xFFFFFFFF) + open_item;
  CHECK(refusal(written(path, open_end)) == ErrorCode::dicom);
  const std::string long_item =
      preamble() + sequence_head(0x52009230, 16) + little(0xE000FFFE, 4) + little(1000, 4) + std::string(2000, '\0');
  CHECK(refusal(written(path, long_item)) == ErrorCode::dicom);
}

TEST_CASE("sequences within sequences have an end") {
  const TemporaryFolder folder;
  std::string bytes = preamble();
  for (int depth = 0; depth < 100'000; ++depth) bytes += sequence_head(0x00400100, 0xFFFFFFFF) + open_item;
  CHECK(refusal(written(folder.path() / "deep.dcm", bytes)) == ErrorCode::limit);
  std::string unknown = preamble();
  for (int depth = 0; depth < 100'000; ++depth) {
    unknown +=
        little(0x00400100 >> 16, 2) + little(0x0100, 2) + "UN" + little(0, 2) + little(0xFFFFFFFF, 4) + open_item;
  }
  CHECK_THROWS_AS(io::read_dicom_header(written(folder.path() / "deep.dcm", unknown)), Error);
}

TEST_CASE("too many elements are refused before they fill the memory") {
  const TemporaryFolder folder;
  std::string bytes = preamble();
  for (int i = 0; i < 1'100'000; ++i) bytes += little(0x00100028, 4) + "US" + little(0, 2);
  CHECK(refusal(written(folder.path() / "many.dcm", bytes)) == ErrorCode::limit);
}

TEST_CASE("a deflate bomb is refused") {
  const TemporaryFolder folder;
  const auto files = io::write_series(test::tilted_stack(1), folder.path());
  io::DicomLimits limits;
  limits.inflated_bytes = 1000;
  const std::string stored = std::string("\x01\xff\xff\x00\x00", 5) + std::string(65535, '\0');
  const auto path = written(folder.path() / "bomb.dcm", preamble("1.2.840.10008.1.2.1.99") + stored);
  CHECK_THROWS_AS(io::read_dicom_header(path, limits), Error);
  CHECK_THROWS_AS(io::read_dicom_header(path), Error);
}

TEST_CASE("a file cut off anywhere is read or refused") {
  const TemporaryFolder folder, other;
  const auto files = io::write_series(test::tilted_stack(1), folder.path());
  const std::string whole = bytes_of(files[0]);
  const auto path = other.path() / "cut.dcm";
  for (std::size_t length = 0; length < whole.size(); length += length < 1200 ? 1 : 37) {
    written(path, whole.substr(0, length));
    CHECK_THROWS_AS(io::read_dicom({path}), Error);
  }
}

TEST_CASE("damaged bytes are read or refused") {
  const TemporaryFolder folder, other;
  const std::string whole = bytes_of(io::write_series(test::tilted_stack(1), folder.path())[0]);
  const auto path = other.path() / "damaged.dcm";
  std::mt19937 random(3);
  int read = 0, refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = whole;
    for (unsigned k = 0; k <= random() % 5; ++k) bytes[132 + random() % 900] = char(random());
    written(path, bytes);
    try {
      for (const auto& series : io::scan({path}).series) {
        io::read_series(series);
        ++read;
      }
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(read > 100);
  CHECK(refused > 100);
}

TEST_CASE("wrapped 12-bit values are mended as in the challenge's notebooks") {
  std::vector<float> hu{0, 40, 3000, 3095, 3096, 4095};
  io::repair_wrapped_12bit(hu, 1, 0);
  CHECK(hu == std::vector<float>{0, 40, 3000, 3095, -1000, -1});
}

TEST_CASE("the tilted series of the shared data") {
  const auto folder = test::real_data("head_ct_ge_tilt");
  if (!folder) return;
  const auto stack = io::read_dicom({*folder});
  CHECK(stack.geometry.shape() == std::array<std::int64_t, 3>{28, 512, 512});
  CHECK(stack.geometry.tilt_degrees() == doctest::Approx(18.5).epsilon(1e-4));
  CHECK(stack.geometry.offsets_mm()[14] - stack.geometry.offsets_mm()[13] ==
        doctest::Approx(1.14 * 0.94832).epsilon(1e-3));
  CHECK_FALSE(stack.padding.empty());
}
