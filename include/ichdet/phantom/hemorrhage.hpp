#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ichdet/core/config.hpp"

namespace ichdet {

/// Where blood lies. The value is its label in the label maps of `paint` and `make_phantom`.
enum class HemorrhageType : std::uint8_t {
  intraparenchymal = 1,
  intraventricular = 2,
  subdural = 3,
  epidural = 4,
  subarachnoid = 5,
};

enum class Side { any, left, right };  ///< the patient's; `any` is drawn from the seed

std::string_view to_string(HemorrhageType type) noexcept;
std::string_view to_string(Side side) noexcept;

/// Accepts the full names and ip, iph, ivh, sdh, edh, sah. Throws Error(options).
HemorrhageType hemorrhage_type(std::string_view name);
/// "left", "right", "any" or "". Throws Error(options).
Side hemorrhage_side(std::string_view name);

/// Names of the labels 0 to 6: background, the five types in the enum's order, perihematomal_oedema.
std::vector<std::string> hemorrhage_label_names();
inline constexpr std::uint8_t oedema_label = 6;

/// A hemorrhage as asked for.
struct Hemorrhage {
  HemorrhageType type = HemorrhageType::intraparenchymal;
  double volume_ml = 25;  ///< of the label map, by pixel area and SliceGeometry::extents_mm
  Side side = Side::any;
  /// Empty: drawn from the seed. Intraparenchymal: "basal ganglia", "thalamus", "frontal", "parietal", "temporal",
  /// "occipital", "cerebellum", "pons". Others ignore it but for subdural, epidural and subarachnoid: "frontal",
  /// "parietal", "temporal", "occipital"; subarachnoid also "basal cisterns".
  std::string region;
  std::optional<Eigen::Vector3d> target_mm;  ///< LPS; where it starts to grow. Overrules side and region.
  double density_hu = 65;                    ///< of undiluted blood
  double texture_hu = 3;                     ///< standard deviation of its slow variation
  double texture_mm = 7;                     ///< period of that variation
  double soft_edge_mm = 1.2;                 ///< width over which it gives way to brain
  double oedema_mm = 0;                      ///< width of a dark rim around intraparenchymal blood; 0: none
};

/// A hemorrhage as painted.
struct PaintedHemorrhage {
  Hemorrhage asked;
  double volume_ml = 0;                                   ///< of its label
  double oedema_ml = 0;                                   ///< of the rim's label
  Eigen::Vector3d centroid_mm = Eigen::Vector3d::Zero();  ///< LPS
  Eigen::Vector3d target_mm = Eigen::Vector3d::Zero();    ///< LPS; where it was grown from
  std::vector<std::int64_t> slices;                       ///< indices of the slices that show it, ascending
};

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/phantom/hemorrhage_inl.hpp"
#endif
