#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "fitted_file.hpp"
#include "ichdet/bundle/sha256.hpp"

namespace ichdet::train {
namespace {

namespace fs = std::filesystem;

/// Of files, and of all files in folders, whatever their names.
std::vector<std::string> hashes_of(const std::vector<fs::path>& paths) {
  std::vector<std::string> hashes;
  for (const auto& path : paths) {
    if (!fs::is_directory(path)) {
      hashes.push_back(sha256_of_file(path));
      continue;
    }
    for (const auto& file : fs::recursive_directory_iterator(path)) {
      if (file.is_regular_file()) hashes.push_back(sha256_of_file(file.path()));
    }
  }
  std::ranges::sort(hashes);
  return hashes;
}

}  // namespace

std::string fitted_key(const StudyEntry& entry, const ModelSpec& model, const PreparationOptions& options) {
  nlohmann::json parts{{"format", fitted_mark},
                       {"scan", hashes_of(entry.files)},
                       {"mask", entry.mask.empty() ? "" : sha256_of_file(entry.mask)},
                       {"slices", entry.slices},
                       {"tolerance", options.mask_tolerance_mm},
                       {"thickness", options.slice_thickness_mm},
                       {"gaps", options.allow_gaps},
                       {"anatomy", options.anatomy},
                       {"task", to_string(model.task)}};
  for (const auto& [from, to] : options.mask_classes) parts["mask_classes"].push_back({from, to});
  for (const auto& output : model.classes) parts["classes"].push_back(output.blood);
  if (reads_images(model.task)) {
    const auto& image = model.image;
    parts["image"] = {image.size, int(image.fit), image.spacing_mm, int(image.centre), image.slice_mm};
    if (image.clip_hu) parts["clip"] = *image.clip_hu;
  } else {
    parts["spacing"] = model.spacing_mm;
  }
  const auto text = parts.dump();
  return sha256(std::as_bytes(std::span(text)));
}

}  // namespace ichdet::train
