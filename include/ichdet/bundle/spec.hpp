#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace ichdet {

/// One output of a model.
struct ClassSpec {
  std::string name;
  bool blood = false;  ///< counts as hemorrhage
};

/// One input channel: Hounsfield units clipped to [low, high] and mapped linearly onto [to_low, to_high].
struct ChannelSpec {
  double low_hu = 0, high_hu = 0;
  double to_low = 0, to_high = 1;
};

/// How a network is laid over a volume. Voxels at the model's spacing, z y x.
struct PatchSpec {
  std::array<std::int64_t, 3> input{};
  std::array<std::int64_t, 3> output{};  ///< smaller than `input` for valid convolutions
  /// Outputs that start at, and extend over, multiples of this are the same whatever the patch size; 0: fixed patches.
  std::int64_t step = 0;
  std::string padding = "edge";  ///< beyond the volume: "edge" repeats the border
};

/// Where weights came from.
struct ProvenanceSpec {
  std::string source, authors, citation, converted_by;
  std::map<std::string, std::string> files;  ///< published file -> SHA-256
};

/// Everything a set of weights needs to be used right: what `bundle.json` says.
struct ModelSpec {
  static constexpr int schema = 1;

  std::string name, version;
  std::string architecture;            ///< a name that ichdet knows, such as "DeepMedic"
  nlohmann::json options;              ///< the architecture's own, an object
  std::array<double, 3> spacing_mm{};  ///< x, y, z
  std::string orientation;             ///< "LPS": x, y, z run to the patient's left, back and head
  std::vector<ChannelSpec> channels;
  std::vector<ClassSpec> classes;  ///< class 0 is background
  PatchSpec patch;
  std::map<std::string, double> thresholds;   ///< by class or purpose; empty: argmax
  std::optional<nlohmann::json> calibration;  ///< none: probabilities are not calibrated
  ProvenanceSpec provenance;
  std::string licence;       ///< SPDX expression
  std::string licence_file;  ///< in the bundle
  bool not_for_clinical_use = true;
  std::string training_data;
  nlohmann::json metrics;
  std::string weights_file;  ///< in the bundle
  std::string weights_sha256;
};

/// Reads and validates. Unknown keys are refused. Throws Error(weights) whose message starts with `subject` and names
/// the JSON path, what was expected and what was found.
ModelSpec parse_spec(const nlohmann::json& json, const std::string& subject);

}  // namespace ichdet
