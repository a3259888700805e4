#include <doctest/doctest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "ichdet/core/error.hpp"
#include "ichdet/io/npy.hpp"

using namespace ichdet;

TEST_CASE("an array is written as NumPy's format 1.0 says") {
  const auto path = std::filesystem::temp_directory_path() / ("ichdet_npy_" + std::to_string(::getpid()) + ".npy");
  const std::vector<float> values{1, -2, 0.5, 4, 5, 6};
  io::write_npy(path, values, {2, 3});
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::filesystem::remove(path);
  CHECK(bytes.substr(0, 8) == std::string("\x93NUMPY\x01\x00", 8));
  const auto header = std::size_t(static_cast<unsigned char>(bytes[8]) + 256 * static_cast<unsigned char>(bytes[9]));
  CHECK((10 + header) % 64 == 0);
  CHECK(bytes.substr(10, 61) == "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, ), }");
  CHECK(bytes[10 + header - 1] == '\n');
  REQUIRE(bytes.size() == 10 + header + 24);
  CHECK(std::memcmp(bytes.data() + 10 + header, values.data(), 24) == 0);
  CHECK_THROWS_AS(io::write_npy(path, values, {2, 2}), Error);
  CHECK_THROWS_AS(io::write_npy("/nowhere/at/all.npy", values, {6}), Error);
}
