#pragma once

#include <array>
#include <utility>

#include "ichdet/core/error.hpp"
#include "ichdet/phantom/hemorrhage.hpp"

namespace ichdet {

ICHDET_INLINE std::string_view to_string(HemorrhageType type) noexcept {
  switch (type) {
    case HemorrhageType::intraparenchymal: return "intraparenchymal";
    case HemorrhageType::intraventricular: return "intraventricular";
    case HemorrhageType::subdural: return "subdural";
    case HemorrhageType::epidural: return "epidural";
    case HemorrhageType::subarachnoid: return "subarachnoid";
  }
  return "unknown";
}

ICHDET_INLINE std::string_view to_string(Side side) noexcept {
  switch (side) {
    case Side::any: return "any";
    case Side::left: return "left";
    case Side::right: return "right";
  }
  return "unknown";
}

ICHDET_INLINE HemorrhageType hemorrhage_type(std::string_view name) {
  using enum HemorrhageType;
  static constexpr std::array<std::pair<std::string_view, HemorrhageType>, 5> abbreviations{{{"iph", intraparenchymal},
                                                                                             {"ivh", intraventricular},
                                                                                             {"sdh", subdural},
                                                                                             {"edh", epidural},
                                                                                             {"sah", subarachnoid}}};
  for (const auto& [abbreviation, type] : abbreviations) {
    if (name == abbreviation || name == to_string(type)) return type;
  }
  throw Error::mismatch(
      ErrorCode::options, "hemorrhage type",
      "intraparenchymal (iph), intraventricular (ivh), subdural (sdh), epidural (edh) or subarachnoid (sah)", name);
}

ICHDET_INLINE Side hemorrhage_side(std::string_view name) {
  if (name.empty() || name == "any") return Side::any;
  if (name == "left") return Side::left;
  if (name == "right") return Side::right;
  throw Error::mismatch(ErrorCode::options, "hemorrhage side", "left, right or any", name);
}

ICHDET_INLINE std::vector<std::string> hemorrhage_label_names() {
  return {"background", "intraparenchymal", "intraventricular",    "subdural",
          "epidural",   "subarachnoid",     "perihematomal_oedema"};
}

}  // namespace ichdet
