#include "ichdet/pipeline/make_bundle.hpp"

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/sha256.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/core/version.hpp"
#include "ichdet/models/create.hpp"
#include "ichdet/models/load.hpp"
#include "ichdet/models/load_weights.hpp"
#include "ichdet/nn/network.hpp"
#include "ichdet/nn/state_dict.hpp"
#include "untrained.hpp"
#include "write_text.hpp"

namespace ichdet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const char* const weights_name = "weights.safetensors";
const char* const licence_name = "LICENSE";

/// What of a bundle differs with where its weights come from.
struct Origin {
  std::string source;
  json files = json::object();  ///< name: SHA-256
  bool untrained = false;
  std::string licence, licence_text;
};

json bundle_json(const Recipe& recipe, const Origin& origin, const BundleOptions& options) {
  json bundle = recipe.model;
  bundle["schema"] = ModelSpec::schema;
  bundle["name"] = !options.name.empty() ? options.name : origin.untrained ? "untrained-" + recipe.name : recipe.name;
  bundle["version"] = options.version;
  if (origin.untrained) bundle["untrained"] = true;
  bundle["provenance"] = {{"source", origin.source},
                          {"authors", origin.untrained ? "none" : "not stated"},
                          {"citation", recipe.citation},
                          {"converted_by", "ichdet " + std::string(version)},
                          {"files", origin.files}};
  if (const auto& parent = options.parent) {
    bundle["provenance"]["parent"] = {{"name", parent->name}, {"version", parent->version}, {"sha256", parent->sha256}};
  }
  if (!options.split_sha256.empty()) bundle["provenance"]["split_sha256"] = options.split_sha256;
  bundle["licence"] = {{"spdx", origin.licence}, {"file", licence_name}};
  bundle["not_for_clinical_use"] = true;
  bundle["training_data"] = origin.untrained ? "none: the weights are random numbers" : options.training_data;
  bundle["metrics"] = options.metrics;
  bundle["weights"] = {{"file", weights_name}, {"sha256", std::string(64, '0')}};
  return bundle;
}

/// Makes the bundle in a folder beside the wanted one, which it then becomes. `fill` says in words what was done to the
/// weights.
template <class Fill>
void write_bundle(const Recipe& recipe, const Origin& origin, const fs::path& folder, const BundleOptions& options,
                  Fill&& fill) {
  std::error_code failed;
  if (fs::exists(folder, failed) && !fs::is_empty(folder, failed)) {
    throw Error(ErrorCode::io, folder.string() + ": exists and is not empty; a bundle needs a folder of its own");
  }
  auto spec_json = bundle_json(recipe, origin, options);
  const auto spec = parse_spec(spec_json, "recipe " + recipe.name);
  const auto network = models::create(spec.architecture, spec.options, "recipe " + recipe.name);
  auto source = origin.source;
  for (const auto& note : fill(*network, spec)) source += "; " + note;
  spec_json["provenance"]["source"] = source;

  auto partial = fs::absolute(folder / ".").parent_path();
  partial += ".partial";
  fs::remove_all(partial, failed);
  if (!fs::create_directories(partial, failed)) {
    throw Error(ErrorCode::io, partial.string() + ": cannot be made: " + failed.message());
  }
  try {
    save_state_dict(*network, partial / weights_name, options.dtype);
    spec_json["weights"]["sha256"] = sha256_of_file(partial / weights_name);
    pipeline::write_text(partial / licence_name, origin.licence_text);
    pipeline::write_text(partial / "bundle.json", spec_json.dump(2) + "\n");
    models::load(open_bundle(partial));
    fs::remove(folder);
    fs::rename(partial, folder);
  } catch (...) {
    fs::remove_all(partial, failed);
    throw;
  }
}

std::string licence_text(const BundleOptions& options) {
  if (options.licence_file.empty()) {
    return options.licence.empty() ? "The licence of these weights was not stated when this bundle was made.\n"
                                   : "SPDX: " + options.licence + "\n";
  }
  std::ifstream in(options.licence_file, std::ios::binary);
  if (!in) throw Error(ErrorCode::io, options.licence_file.string() + ": cannot be read");
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

void make_bundle(const Recipe& recipe, const fs::path& weights, const fs::path& folder, const BundleOptions& options) {
  make_bundle(recipe, read_state_dict(weights), {weights}, folder, options);
}

void make_bundle(const Recipe& recipe, const StateDict& weights, const std::vector<fs::path>& files,
                 const fs::path& folder, const BundleOptions& options) {
  Origin origin;
  for (const auto& file : files) {
    const auto name = file.filename().string();
    origin.source += (origin.source.empty() ? "" : ", ") + name;
    origin.files[name] = sha256_of_file(file);
  }
  origin.licence = options.licence.empty() ? "LicenseRef-not-stated" : options.licence;
  origin.licence_text = licence_text(options);
  write_bundle(recipe, origin, folder, options,
               [&](Network& network, const ModelSpec&) { return models::load_weights(network, weights); });
}

void make_untrained_bundle(const Recipe& recipe, std::uint64_t seed, const fs::path& folder,
                           const BundleOptions& options) {
  Origin origin;
  origin.source = "random numbers, seed " + std::to_string(seed);
  origin.untrained = true;
  origin.licence = "CC0-1.0";
  origin.licence_text = "SPDX: CC0-1.0. UNTRAINED: these weights are random numbers (seed " + std::to_string(seed) +
                        "), for trying out a pipeline. No result of theirs means anything.\n";
  write_bundle(recipe, origin, folder, options, [&](Network& network, const ModelSpec& model) {
    pipeline::randomise(network, model, seed);
    return std::vector<std::string>();
  });
}

}  // namespace ichdet
