#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/train/curves.hpp"
#include "ichdet/train/log.hpp"

using namespace ichdet;
using namespace ichdet::train;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path = fs::path(std::getenv("TMPDIR") ? std::getenv("TMPDIR") : "/tmp") /
                  ("ichdet_log_" + std::to_string(std::rand()) + "_" + std::to_string(::getpid()));
  ~Folder() { fs::remove_all(path); }
};

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream all;
  all << file.rdbuf();
  return all.str();
}

/// Without the seconds, which differ from run to run.
std::string without_seconds(const fs::path& metrics) {
  std::string all;
  for (const auto& row : read_log(metrics)) {
    std::ostringstream line;
    line.precision(17);
    line << row.step << ' ' << row.name << ' ' << row.value << '\n';
    all += line.str();
  }
  return all;
}

void train_some(TrainingLog& log, int from, int to) {
  for (int step = from; step <= to; ++step) {
    log.add(step, "train/loss", 1.0 / 3 / step);
    if (step % 4 == 0) log.add(step, "select/dice", 1 - 0.1 / step);
  }
}

}  // namespace

TEST_CASE("CRC-32C of RFC 3720's examples") {
  CHECK(crc32c("123456789") == 0xE3069283U);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAU);
  CHECK(crc32c(std::string(32, '\xFF')) == 0x62A8AB43U);
}

TEST_CASE("a resumed training's log equals the uninterrupted one's") {
  const Folder whole, pieces;
  {
    TrainingLog log(whole.path);
    train_some(log, 1, 20);
  }
  {
    TrainingLog log(pieces.path);
    train_some(log, 1, 13);  // killed; the last checkpoint is of step 8
  }
  std::ofstream(pieces.path / "metrics.csv", std::ios::app) << "14,0.2,train/lo";
  double before = 0;
  {
    TrainingLog log(pieces.path, 8);
    REQUIRE(log.rows().back().step == 8);
    before = log.rows().back().seconds;
    train_some(log, 9, 20);
  }
  CHECK(without_seconds(pieces.path / "metrics.csv") == without_seconds(whole.path / "metrics.csv"));
  const auto rows = read_log(pieces.path / "metrics.csv");
  CHECK(rows.size() == 25);
  CHECK(rows[0].value == 1.0 / 3);  // to the last bit
  CHECK(rows.back().seconds >= before);
}

TEST_CASE("a new training begins a new log") {
  const Folder folder;
  {
    TrainingLog log(folder.path);
    train_some(log, 1, 3);
  }
  TrainingLog log(folder.path);
  CHECK(log.rows().empty());
  CHECK(text_of(folder.path / "metrics.csv") == "step,seconds,name,value\n");
}

TEST_CASE("events are framed with their lengths and check sums, and hold the picture") {
  const Folder folder;
  Image picture(3, 5, 3, 7);
  {
    EventFile file(folder.path, 4);
    file.scalar(4, "train/loss", 0.5);
    file.picture(5, "curves", picture);
    const EventFile later(folder.path);  // of the same second: another name
    CHECK(later.path() != file.path());
    CHECK(later.path().string().starts_with(file.path().string().substr(0, file.path().string().rfind(".ichdet"))));
  }
  std::string bytes;
  for (const auto& entry : fs::directory_iterator(folder.path)) {
    if (const auto text = text_of(entry.path()); text.size() > bytes.size()) bytes = text;
  }
  const auto number = [&](std::size_t at, int size) {
    std::uint64_t value = 0;
    for (int i = size - 1; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes.at(at + std::size_t(i)));
    return value;
  };
  const auto masked = [](const std::string& data) {
    const auto crc = crc32c(data);
    return std::uint64_t((crc >> 15 | crc << 17) + 0xA282EAD8U);
  };
  int records = 0;
  for (std::size_t at = 0; at < bytes.size(); ++records) {
    const auto length = number(at, 8);
    CHECK(number(at + 8, 4) == masked(bytes.substr(at, 8)));
    CHECK(number(at + 12 + length, 4) == masked(bytes.substr(at + 12, length)));
    at += 16 + length;
  }
  CHECK(records == 4);  // version, start of the sitting, scalar, picture
  CHECK(bytes.find("brain.Event:2") != bytes.npos);
  const auto png = bytes.find("\x89PNG");
  REQUIRE(png != bytes.npos);
  const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data()) + png;
  CHECK(io::decode_png({begin, bytes.size() - png}).pixels == picture.pixels);
}

TEST_CASE("what is no log is refused, and what is no name") {
  const Folder folder;
  fs::create_directories(folder.path);
  std::ofstream(folder.path / "metrics.csv") << "step,seconds,name,value\n1,0,train/loss,high\n";
  CHECK_THROWS_WITH_AS(TrainingLog(folder.path, 1), doctest::Contains("line 2"), Error);
  TrainingLog log(folder.path);
  CHECK_THROWS_AS(log.add(1, "a,b", 1), Error);
  CHECK_THROWS_AS(log.add(1, "", 1), Error);
  log.add(1, "train/loss", std::nan(""));
  CHECK(std::isnan(read_log(folder.path / "metrics.csv").back().value));
}

TEST_CASE("curves have a diagram for each measure, and marks where the figures lie") {
  std::vector<LogRow> rows;
  const auto empty = draw_curves(rows);
  for (int step = 1; step <= 400; ++step) {
    rows.push_back({step, 0, "train/loss", std::exp(-0.02 * step) * (1 + 0.3 * std::sin(7.0 * step)) + 0.01});
    rows.push_back({step, 0, "train/learning_rate", 1e-3 * std::pow(1 - step / 401.0, 0.9)});
    if (step % 40 == 0) {
      rows.push_back({step, 0, "select/loss", std::exp(-0.015 * step) + 0.02});
      rows.push_back({step, 0, "select/dice", 1 - std::exp(-0.01 * step)});
      rows.push_back({step, 0, "select/slice_auc", step == 80 ? std::nan("") : 1 - 0.3 * std::exp(-0.01 * step)});
    }
  }
  const auto picture = draw_curves(rows);
  CHECK(picture.columns == 2 * empty.columns - 24);  // two across
  CHECK(picture.rows == 2 * empty.rows - 24);
  std::int64_t blue = 0, orange = 0;
  for (std::int64_t i = 0; i < picture.rows * picture.columns; ++i) {
    const auto* p = picture.pixels.data() + 3 * i;
    blue += p[0] == 0 && p[1] == 114 && p[2] == 178;
    orange += p[0] == 213 && p[1] == 94 && p[2] == 0;
  }
  CHECK(blue > 600);    // loss and learning rate of "train"
  CHECK(orange > 600);  // loss, dice and slice_auc of "select"
  rows.push_back({401, 0, "train/loss", std::numeric_limits<double>::infinity()});
  CHECK_NOTHROW(draw_curves(rows));
  if (const char* keep = std::getenv("ICHDET_KEEP")) write_curves(fs::path(keep) / "curves.png", rows);
}
