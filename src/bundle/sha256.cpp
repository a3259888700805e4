#include "ichdet/bundle/sha256.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>
#include <vector>

namespace ichdet {
namespace {

class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    check(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void add(const void* data, std::size_t size) { check(EVP_DigestUpdate(context_.get(), data, size) == 1); }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    check(EVP_DigestFinal_ex(context_.get(), bytes.data(), &size) == 1);
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      text += digits[bytes[i] >> 4];
      text += digits[bytes[i] & 15];
    }
    return text;
  }

 private:
  static void check(bool ok) {
    if (!ok) throw Error(ErrorCode::weights, "SHA-256: OpenSSL failed to compute it");
  }
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

}  // namespace

std::string sha256(std::span<const std::byte> bytes) {
  Digest digest;
  digest.add(bytes.data(), bytes.size());
  return digest.hex();
}

std::string sha256_of_file(const std::filesystem::path& file, const Progress& progress) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw Error(ErrorCode::io, file.string() + ": cannot be opened for reading");
  const auto size = std::max<double>(1, double(std::filesystem::file_size(file)));
  const std::string stage = "checking " + file.filename().string();
  Digest digest;
  std::vector<char> buffer(1 << 20);
  double done = 0;
  while (stream) {
    stream.read(buffer.data(), std::streamsize(buffer.size()));
    digest.add(buffer.data(), std::size_t(stream.gcount()));
    done += double(stream.gcount());
    progress(stage, std::min(1.0, done / size));
  }
  if (stream.bad()) throw Error(ErrorCode::io, file.string() + ": could not be read to its end");
  return digest.hex();
}

}  // namespace ichdet
