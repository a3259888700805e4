#include "ichdet/pipeline/member.hpp"

#include <utility>

#include "ichdet/core/error.hpp"

namespace ichdet {

Member::Member(Bundle given) : spec(given.spec), identity(given.identity()), bundle(std::move(given)) {}

Member::Member(ModelSpec given, Forward called)
    : spec(std::move(given)), identity{spec.name, spec.version, {}}, forward(std::move(called)) {
  if (!forward) throw Error(ErrorCode::options, spec.name + ": expected a callable");
}

std::vector<Member> members_of(const std::vector<Bundle>& bundles) {
  std::vector<Member> members;
  for (const auto& bundle : bundles) members.emplace_back(bundle);
  return members;
}

ModelSpec parse_own_spec(nlohmann::json json, const std::string& subject) {
  const nlohmann::json unsaid{{"schema", ModelSpec::schema},
                              {"version", "1"},
                              {"architecture", {{"name", "own"}, {"options", nlohmann::json::object()}}},
                              {"provenance",
                               {{"source", "own"},
                                {"authors", "own"},
                                {"citation", "none"},
                                {"converted_by", "none"},
                                {"files", nlohmann::json::object()}}},
                              {"licence", {{"spdx", "NONE"}, {"file", "LICENSE"}}},
                              {"not_for_clinical_use", true},
                              {"training_data", "not stated"},
                              {"metrics", nlohmann::json::object()},
                              {"weights", {{"file", "none"}, {"sha256", std::string(64, '0')}}}};
  if (json.is_object()) {
    for (const auto& [key, value] : unsaid.items()) {
      if (!json.contains(key)) json[key] = value;
    }
  }
  return parse_spec(json, subject);
}

}  // namespace ichdet
