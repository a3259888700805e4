#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "ichdet/core/error.hpp"
#include "ichdet/io/dicom_write.hpp"
#include "synthetic.hpp"

using namespace ichdet;
using test::TemporaryFolder;

namespace {
std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
}  // namespace

TEST_CASE("the same stack and seed give the same files, another seed others") {
  const auto stack = test::tilted_stack(3);
  const TemporaryFolder a, b, c;
  const auto first = io::write_series(stack, a.path());
  const auto again = io::write_series(stack, b.path());
  const auto other = io::write_series(stack, c.path(), {.seed = 1});
  REQUIRE(first.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(bytes_of(first[i]) == bytes_of(again[i]));
    CHECK(bytes_of(first[i]) != bytes_of(other[i]));
  }
}

TEST_CASE("a folder in use, other bit depths and NaN are refused") {
  auto stack = test::tilted_stack(2);
  const TemporaryFolder folder;
  CHECK_THROWS_AS(io::write_series(stack, folder.path() / "a", {.bits_stored = 10}), Error);
  io::write_series(stack, folder.path());
  CHECK_THROWS_AS(io::write_series(stack, folder.path()), Error);
  io::write_series(stack, folder.path(), {.overwrite = true});
  stack.hu(1, 2, 3) = std::nanf("");
  CHECK_THROWS_AS(io::write_series(stack, folder.path() / "b"), Error);
}

TEST_CASE("dciodvfy finds no error in what is written") {
  if (std::system("command -v dciodvfy > /dev/null 2>&1") != 0) {
    MESSAGE("SKIPPED: no dciodvfy (Debian package dicom3tools)");
    return;
  }
  for (const int bits : {12, 16}) {
    const TemporaryFolder folder;
    auto stack = test::tilted_stack(2);
    stack.padding = Array3<std::uint8_t>(stack.hu.shape());
    stack.padding(0, 0, 0) = 1;
    const auto files = io::write_series(stack, folder.path(), {.bits_stored = bits});
    const auto report = folder.path() / "report.txt";
    const std::string command = "dciodvfy '" + files.front().string() + "' > '" + report.string() + "' 2>&1";
    CHECK(std::system(command.c_str()) == 0);
    const std::string text = bytes_of(report);
    INFO(text);
    CHECK(text.find("Error") == std::string::npos);
    CHECK(text.find("CTImage") != std::string::npos);
  }
}
