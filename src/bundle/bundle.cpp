#include "ichdet/bundle/bundle.hpp"

#include <fstream>
#include <iterator>

#include "ichdet/bundle/sha256.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet {
namespace {

constexpr std::uintmax_t longest_spec = 4u << 20;

}  // namespace

Bundle open_bundle(const std::filesystem::path& folder) {
  const auto file = folder / "bundle.json";
  std::error_code failed;
  const auto size = std::filesystem::file_size(file, failed);
  std::ifstream in(file, std::ios::binary);
  if (failed || !in)
    throw Error(ErrorCode::weights, file.string() + ": cannot be opened; a bundle is a folder with bundle.json");
  if (size > longest_spec) throw Error(ErrorCode::weights, file.string() + ": " + std::to_string(size) + " bytes long");
  const std::string text((std::istreambuf_iterator<char>(in)), {});

  nlohmann::json json;
  try {
    json = nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorCode::weights, file.string() + ": " + e.what());
  }
  auto spec = parse_spec(json, file.string());
  if (!std::filesystem::is_regular_file(folder / spec.licence_file, failed)) {
    throw Error(ErrorCode::weights, file.string() + ": /licence/file: " + spec.licence_file + " is not in the bundle");
  }
  if (!std::filesystem::is_regular_file(folder / spec.weights_file, failed)) {
    throw Error(ErrorCode::weights, file.string() + ": /weights/file: " + spec.weights_file + " is not in the bundle");
  }
  SafeTensors weights(folder / spec.weights_file);
  const auto found = sha256(weights.bytes());
  if (found != spec.weights_sha256) {
    throw Error::mismatch(ErrorCode::weights, weights.file().string() + ": SHA-256", spec.weights_sha256, found);
  }
  return {folder, std::move(spec), sha256(std::as_bytes(std::span(text))), std::move(weights)};
}

std::vector<Bundle> open_bundles(const std::vector<std::filesystem::path>& folders) {
  std::vector<Bundle> bundles;
  for (const auto& folder : folders) bundles.push_back(open_bundle(folder));
  return bundles;
}

}  // namespace ichdet
