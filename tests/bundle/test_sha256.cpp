#include <doctest/doctest.h>

#include <fstream>

#include "ichdet/bundle/sha256.hpp"

using namespace ichdet;

TEST_CASE("SHA-256 equals the published test vectors (FIPS 180-4)") {
  CHECK(sha256({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const std::string abc = "abc";
  CHECK(sha256(std::as_bytes(std::span(abc))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("a file hashes as its bytes, and a missing one is named") {
  const auto file = std::filesystem::temp_directory_path() / "ichdet_test_sha256";
  const std::string million(1'000'000, 'a');
  std::ofstream(file, std::ios::binary) << million;
  CHECK(sha256_of_file(file) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  std::filesystem::remove(file);
  CHECK_THROWS_AS(sha256_of_file(file), Error);
}
