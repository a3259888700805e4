#pragma once

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "ichdet/core/error.hpp"
#include "ichdet/report/json.hpp"

namespace ichdet {

namespace detail {

ICHDET_INLINE double finite(double value, const std::string& field) {
  if (std::isfinite(value)) return value;
  throw Error::mismatch(ErrorCode::options, "result." + field, "a finite number", std::to_string(value));
}

ICHDET_INLINE const std::vector<double>& all_finite(const std::vector<double>& values, const std::string& field) {
  for (std::size_t i = 0; i < values.size(); ++i) finite(values[i], field + "[" + std::to_string(i) + "]");
  return values;
}

ICHDET_INLINE nlohmann::ordered_json bundle_to_json(const BundleIdentity& bundle) {
  return {{"name", bundle.name}, {"version", bundle.version}, {"sha256", bundle.sha256}};
}

ICHDET_INLINE BundleIdentity ensemble_identity(const std::vector<BundleIdentity>& members) {
  if (members.empty()) return {};
  BundleIdentity whole = members.front();
  const bool one_version =
      std::all_of(members.begin(), members.end(), [&](const auto& m) { return m.version == whole.version; });
  for (std::size_t i = 1; i < members.size(); ++i) {
    whole.name += " + " + members[i].name;
    if (!one_version) whole.version += " + " + members[i].version;
    whole.sha256.clear();
  }
  return whole;
}

/// json[key] as T, with an Error that names the field by its path.
template <class T>
T field(const nlohmann::ordered_json& json, const std::string& parent, const char* key) {
  const std::string name = parent + "." + key;
  const auto found = json.is_object() ? json.find(key) : json.end();
  if (!json.is_object() || found == json.end()) throw Error(ErrorCode::io, name + ": expected, not found");
  try {
    return found->template get<T>();
  } catch (const nlohmann::json::exception& e) {
    throw Error::mismatch(ErrorCode::io, name, "a value of another type", found->type_name());
  }
}

/// The same, or `otherwise` where there is no such field.
template <class T>
T field_or(const nlohmann::ordered_json& json, const std::string& parent, const char* key, T otherwise) {
  return json.is_object() && json.contains(key) ? field<T>(json, parent, key) : otherwise;
}

ICHDET_INLINE std::optional<double> optional_field(const nlohmann::ordered_json& json, const std::string& parent,
                                                   const char* key) {
  if (!json.is_object() || !json.contains(key)) return std::nullopt;
  return field<double>(json, parent, key);
}

ICHDET_INLINE BundleIdentity bundle_from_json(const nlohmann::ordered_json& json, const std::string& parent) {
  return {field<std::string>(json, parent, "name"), field<std::string>(json, parent, "version"),
          field<std::string>(json, parent, "sha256")};
}

}  // namespace detail

ICHDET_INLINE nlohmann::ordered_json to_json(const StudyResult& result) {
  using detail::finite;
  using nlohmann::ordered_json;
  ordered_json json;
  json["schema"] = 1;
  json["not_for_clinical_use"] = true;
  json["version"] = result.version;
  json["decision"] = result.decision.positive;
  json["probability"] = finite(result.decision.probability, "probability");
  json["calibrated"] = result.decision.calibrated;
  if (const auto& raw = result.decision.raw_probability) json["raw_probability"] = finite(*raw, "raw_probability");
  json["rule"] = result.decision.rule;
  json["threshold"] = finite(result.decision.threshold, "threshold");
  if (const auto& above = result.decision.slice_threshold) {
    json["slice_threshold"] = finite(*above, "slice_threshold");
  }
  if (!result.classes.empty()) json["classes"] = result.classes;
  if (!result.class_probabilities.empty()) {
    json["class_probabilities"] = detail::all_finite(result.class_probabilities, "class_probabilities");
  }

  json["labels"] = ordered_json::object();
  for (const auto& [value, name] : result.labels) json["labels"][std::to_string(value)] = name;
  json["blood_labels"] = result.blood_labels;
  json["volumes_ml"] = ordered_json::object();
  for (const auto& [name, volume] : result.volumes_ml) json["volumes_ml"][name] = finite(volume, "volumes_ml." + name);

  json["lesions"] = ordered_json::array();
  for (std::size_t i = 0; i < result.lesions.size(); ++i) {
    const auto& lesion = result.lesions[i];
    const std::string name = "lesions[" + std::to_string(i) + "].";
    ordered_json centroid = ordered_json::array();
    for (const double x : lesion.centroid_mm) centroid.push_back(finite(x, name + "centroid_mm"));
    json["lesions"].push_back({{"label", lesion.label},
                               {"volume_ml", finite(lesion.volume_ml, name + "volume_ml")},
                               {"diameter_mm", finite(lesion.diameter_mm, name + "diameter_mm")},
                               {"centroid_mm", std::move(centroid)},
                               {"slices", lesion.slices},
                               {"confidence", finite(lesion.confidence, name + "confidence")},
                               {"calibrated", lesion.calibrated}});
    if (const auto& raw = lesion.raw_confidence) {
      json["lesions"].back()["raw_confidence"] = finite(*raw, name + "raw_confidence");
    }
  }
  json["slices"] = ordered_json::array();
  for (const auto& slice : result.slices) {
    const std::string name = "slices[" + std::to_string(slice.index) + "].";
    json["slices"].push_back({{"index", slice.index},
                              {"z_mm", finite(slice.z_mm, name + "z_mm")},
                              {"probability", finite(slice.probability, name + "probability")},
                              {"sop_instance_uid", slice.sop_instance_uid}});
    if (!result.classes.empty() || !slice.computed) json["slices"].back()["computed"] = slice.computed;
    if (const auto& raw = slice.raw_probability) {
      json["slices"].back()["raw_probability"] = finite(*raw, name + "raw_probability");
    }
    if (!slice.classes.empty()) json["slices"].back()["classes"] = detail::all_finite(slice.classes, name + "classes");
  }
  json["assumptions"] = result.assumptions;
  json["trust"] = {{"ok", result.trust.ok}, {"reasons", result.trust.reasons}};
  json["review"] = result.review;
  if (const auto& ran = result.inference; !ran.engine.empty()) {
    json["inference"] = {{"engine", ran.engine},       {"form", ran.form},
                         {"precision", ran.precision}, {"reason", ran.reason},
                         {"threads", ran.threads},     {"prepare_s", finite(ran.prepare_s, "inference.prepare_s")},
                         {"voxels", ran.voxels},       {"float32_again", ran.float32_again}};
    if (ran.patches > 0) {
      json["inference"]["patches"] = ran.patches;
      json["inference"]["patches_skipped"] = ran.patches_skipped;
    }
  }
  json["bundle"] = detail::bundle_to_json(detail::ensemble_identity(result.bundles));
  json["bundles"] = ordered_json::array();
  for (const auto& bundle : result.bundles) json["bundles"].push_back(detail::bundle_to_json(bundle));
  json["timings_s"] = ordered_json::object();
  for (const auto& [stage, seconds] : result.timings_s)
    json["timings_s"][stage] = finite(seconds, "timings_s." + stage);
  return json;
}

ICHDET_INLINE StudyResult study_result_from_json(const nlohmann::ordered_json& json) {
  using detail::field;
  using nlohmann::ordered_json;
  const std::string root = "result";
  StudyResult result;
  result.version = field<std::string>(json, root, "version");
  result.decision = {field<bool>(json, root, "decision"), field<double>(json, root, "probability"),
                     field<bool>(json, root, "calibrated"), field<std::string>(json, root, "rule"),
                     field<double>(json, root, "threshold")};
  result.decision.slice_threshold = detail::optional_field(json, root, "slice_threshold");
  result.decision.raw_probability = detail::optional_field(json, root, "raw_probability");
  result.classes = detail::field_or(json, root, "classes", std::vector<std::string>());
  result.class_probabilities = detail::field_or(json, root, "class_probabilities", std::vector<double>());
  const auto labels = field<ordered_json>(json, root, "labels");
  for (const auto& [key, name] : labels.items()) {
    int value = 0;
    const auto [end, failed] = std::from_chars(key.data(), key.data() + key.size(), value);
    if (failed != std::errc() || end != key.data() + key.size()) {
      throw Error::mismatch(ErrorCode::io, "result.labels", "keys that are integers", '"' + key + '"');
    }
    result.labels[value] = field<std::string>(labels, "result.labels", key.c_str());
  }
  result.blood_labels = field<std::vector<int>>(json, root, "blood_labels");
  const auto volumes = field<ordered_json>(json, root, "volumes_ml");
  for (const auto& [name, volume] : volumes.items()) {
    result.volumes_ml[name] = field<double>(volumes, "result.volumes_ml", name.c_str());
  }
  for (const auto& lesion : field<ordered_json>(json, root, "lesions")) {
    const std::string name = "result.lesions[" + std::to_string(result.lesions.size()) + "]";
    const auto centroid = field<std::array<double, 3>>(lesion, name, "centroid_mm");
    result.lesions.push_back(
        {field<std::string>(lesion, name, "label"), field<double>(lesion, name, "volume_ml"),
         field<double>(lesion, name, "diameter_mm"), Eigen::Vector3d(centroid[0], centroid[1], centroid[2]),
         field<std::vector<std::int64_t>>(lesion, name, "slices"), field<double>(lesion, name, "confidence"),
         field<bool>(lesion, name, "calibrated"), detail::optional_field(lesion, name, "raw_confidence")});
  }
  for (const auto& slice : field<ordered_json>(json, root, "slices")) {
    const std::string name = "result.slices[" + std::to_string(result.slices.size()) + "]";
    result.slices.push_back({field<std::int64_t>(slice, name, "index"), field<double>(slice, name, "z_mm"),
                             field<double>(slice, name, "probability"),
                             field<std::string>(slice, name, "sop_instance_uid"),
                             detail::field_or(slice, name, "computed", true),
                             detail::field_or(slice, name, "classes", std::vector<double>()),
                             detail::optional_field(slice, name, "raw_probability")});
  }
  result.assumptions = field<std::vector<std::string>>(json, root, "assumptions");
  const auto trust = field<ordered_json>(json, root, "trust");
  result.trust = {field<bool>(trust, "result.trust", "ok"),
                  field<std::vector<std::string>>(trust, "result.trust", "reasons")};
  result.review = detail::field_or(json, root, "review", std::vector<std::string>());
  if (json.contains("inference")) {
    const auto ran = field<ordered_json>(json, root, "inference");
    const std::string name = "result.inference";
    result.inference = {field<std::string>(ran, name, "engine"),
                        field<std::string>(ran, name, "form"),
                        field<std::string>(ran, name, "precision"),
                        field<std::string>(ran, name, "reason"),
                        field<int>(ran, name, "threads"),
                        field<double>(ran, name, "prepare_s"),
                        field<std::int64_t>(ran, name, "voxels"),
                        field<std::int64_t>(ran, name, "float32_again"),
                        detail::field_or(ran, name, "patches", std::int64_t{0}),
                        detail::field_or(ran, name, "patches_skipped", std::int64_t{0})};
  }
  for (const auto& bundle : field<ordered_json>(json, root, "bundles")) {
    result.bundles.push_back(
        detail::bundle_from_json(bundle, "result.bundles[" + std::to_string(result.bundles.size()) + "]"));
  }
  const auto timings = field<ordered_json>(json, root, "timings_s");
  for (const auto& [stage, seconds] : timings.items()) {
    result.timings_s.emplace_back(stage, field<double>(timings, "result.timings_s", stage.c_str()));
  }
  return result;
}

ICHDET_INLINE std::string to_json_text(const StudyResult& result) {
  return to_json(result).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

ICHDET_INLINE void write_result(const std::filesystem::path& path, const StudyResult& result) {
  const auto text = to_json_text(result);
  errno = 0;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) throw Error(ErrorCode::io, path.string() + ": cannot be written: " + std::strerror(errno));
}

ICHDET_INLINE StudyResult read_result(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::io, path.string() + ": cannot be read: " + std::strerror(errno));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  try {
    return study_result_from_json(nlohmann::ordered_json::parse(text));
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorCode::io, path.string() + ": not valid JSON: " + e.what());
  } catch (const Error& e) {
    throw Error(e.code(), path.string() + ": " + e.what());
  }
}

}  // namespace ichdet
