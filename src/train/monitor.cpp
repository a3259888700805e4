#include "ichdet/train/monitor.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "../pipeline/write_text.hpp"
#include "ichdet/bundle/cache.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/report/drift.hpp"
#include "ichdet/report/json.hpp"

namespace ichdet::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::vector<fs::path> result_files(const std::vector<fs::path>& places) {
  std::vector<fs::path> files;
  for (const auto& place : places) {
    const auto before = files.size();
    if (!fs::is_directory(place)) {
      files.push_back(fs::weakly_canonical(place));
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(place)) {
      if (entry.is_regular_file() && entry.path().filename() == "result.json") {
        files.push_back(fs::canonical(entry.path()));
      }
    }
    if (files.size() == before) {
      throw Error::mismatch(ErrorCode::io, place.string(), "result.json in it, as `ichdet detect` writes it", "none");
    }
  }
  std::ranges::sort(files);
  files.erase(std::ranges::unique(files).begin(), files.end());
  return files;
}

bool same(const std::vector<BundleIdentity>& a, const std::vector<BundleIdentity>& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) { return x.sha256 == y.sha256; });
}

std::string in_words(const std::vector<BundleIdentity>& bundles) {
  std::string words;
  for (const auto& bundle : bundles) {
    words +=
        (words.empty() ? "" : " + ") + bundle.name + " " + bundle.version + " (" + bundle.sha256.substr(0, 12) + ")";
  }
  return words.empty() ? "no bundle" : words;
}

}  // namespace

ReferenceScores read_results(const std::vector<fs::path>& places) {
  ReferenceScores scores;
  const auto files = result_files(places);
  for (const auto& file : files) {
    const auto result = read_result(file);
    const auto study = file.filename() == "result.json" ? file.parent_path() : file;
    if (scores.studies.empty()) scores.bundles = result.bundles;
    if (!same(scores.bundles, result.bundles)) {
      throw Error::mismatch(ErrorCode::options, file.string() + ": /bundles",
                            in_words(scores.bundles) + ", as in " + files.front().string(), in_words(result.bundles));
    }
    scores.studies.push_back(scores_of(study.filename().string(), result));
  }
  return scores;
}

ReferenceScores read_reference(const fs::path& path) {
  std::ifstream file(path);
  if (!file) {
    throw Error(ErrorCode::io, path.string() + ": cannot be read; `ichdet monitor --store` makes it from the results " +
                                   "of the validation set");
  }
  const auto json = ordered_json::parse(file, nullptr, false);
  ReferenceScores scores{{}, scores_from_json(json, path.string())};
  try {
    for (const auto& bundle : json.value("bundles", ordered_json::array())) {
      scores.bundles.push_back({bundle.at("name").get<std::string>(), bundle.at("version").get<std::string>(),
                                bundle.at("sha256").get<std::string>()});
    }
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorCode::io, path.string() + ": /bundles: " + e.what());
  }
  return scores;
}

std::string to_json_text(const ReferenceScores& scores) {
  auto bundles = ordered_json::array();
  for (const auto& b : scores.bundles) {
    bundles.push_back({{"name", b.name}, {"version", b.version}, {"sha256", b.sha256}});
  }
  auto json = to_json(scores.studies);
  json["bundles"] = bundles;
  return json.dump(1) + "\n";
}

void write_reference(const fs::path& file, const ReferenceScores& scores) {
  pipeline::write_text(file, to_json_text(scores));
}

fs::path reference_file(const fs::path& model) {
  const auto ensemble = find_ensemble(model.string());
  return (ensemble ? ensemble->parent_path() : resolve_bundle(model.string())) / "reference_scores.json";
}

evaluate::DriftReport monitor(const fs::path& model, const ReferenceScores& results) {
  const auto file = reference_file(model);
  const auto reference = read_reference(file);
  if (!reference.bundles.empty() && !same(reference.bundles, results.bundles)) {
    throw Error::mismatch(ErrorCode::options, "results",
                          "those of " + in_words(reference.bundles) + ", which " + file.string() + " is of",
                          in_words(results.bundles));
  }
  return evaluate::drift(reference.studies, results.studies);
}

}  // namespace ichdet::train
