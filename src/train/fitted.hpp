#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ichdet/bundle/spec.hpp"
#include "ichdet/train/prepared.hpp"

// A scan and its mask as a network reads them, without what is known about the study otherwise.
namespace ichdet::train {

struct Fitted {
  SliceGeometry geometry;
  CompactHu hu;
  Array3<std::uint8_t> mask;        ///< empty: there is no mask file
  std::vector<std::uint8_t> blood;  ///< of each slice, by its mask: 1, 0 or `unknown_label`; empty as the mask
  std::optional<CompactAnatomy> anatomy;
  std::vector<std::string> assumptions;
  bool reversed = false;  ///< slices lie in the opposite order to the scan's
};

/// Whether a network of this task reads images of slices, and not a volume.
bool reads_images(Task task);

/// Reads the entry's files; see prepare_study().
Fitted fit(const StudyEntry& entry, const ModelSpec& model, const PreparationOptions& options);

}  // namespace ichdet::train
