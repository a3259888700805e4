#pragma once

#include <Eigen/Core>
#include <array>
#include <cstdint>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/phantom/hemorrhage.hpp"
#include "ichdet/phantom/random.hpp"

namespace ichdet {

/// One person's head, in head coordinates (see HeadAnatomy): what differs between seeds.
struct HeadShape {
  std::uint64_t seed = 0;
  float atrophy = 0.4F;           ///< 0: narrow sulci, 1: wide
  float ventricle_growth_mm = 0;  ///< added to the radius of the lateral ventricles
  float skull_mm = 6.5F;          ///< mean thickness of the vault
  float scalp_mm = 5.5F;
  Eigen::Vector3f scale = Eigen::Vector3f::Ones();  ///< this head's size over the average head's

  /// Throws Error(options) unless `atrophy` <= 1; drawn from the seed where negative.
  static HeadShape draw(std::uint64_t seed, double atrophy);
};

/// Brain pushed aside by `volume_mm3` of blood around `centre` (head coordinates).
struct Displacement {
  HemorrhageType type;
  Eigen::Vector3f centre;
  float volume_mm3;
};

/// What is at one point of the head.
struct HeadSample {
  float hu = -1000;
  float depth_mm = -1000;  ///< inwards from the inner table
  float ventricle = 0;     ///< 1 in ventricular CSF
  float csf = 0;           ///< 1 in CSF of sulci and cisterns
};

/// A head made of signed distances, sampled at any point. The smooth ones are tabulated on a 2 mm grid when it is made.
///
/// Sizes and densities follow textbook anatomy and what head CT shows at 120 kV: CSF 6, white matter 28, grey matter
/// 37, venous blood 52, fat -90, muscle 55, cortical bone 1300, diploe 600 HU.
class HeadModel {
 public:
  explicit HeadModel(const HeadShape& shape, int threads = 0);

  /// `point_mm` in the average head's coordinates, the brain at rest.
  HeadSample at(const Eigen::Vector3f& point_mm) const { return at(point_mm, {}); }
  HeadSample at(const Eigen::Vector3f& point_mm, const std::vector<Displacement>& pushed) const;

  /// Signed distance to the mid-sagittal sheet (falx), which is not quite flat.
  float midline_mm(const Eigen::Vector3f& point_mm) const;

 private:
  enum Field {
    cavity,
    bone_mm,
    skin,
    sulcus,
    ventricles,
    nuclei,
    cisterns,
    air,
    petrous,
    orbit,
    sheet,
    slow,
    face,
    folia,
    spare0,
    spare1,
    fields
  };
  using Fields = Eigen::Array<float, fields, 1>;

  Fields compute(const Eigen::Vector3f& p) const;
  Fields interpolate(const Eigen::Vector3f& p) const;
  float cavity_distance(const Eigen::Vector3f& p) const;
  float outside_hu(const Eigen::Vector3f& p, const Fields& f) const;
  float brain_hu(const Eigen::Vector3f& p, const Fields& f, HeadSample& sample) const;

  HeadShape shape_;
  WaveField gyri_;
  WaveField gyri_bend_;
  WaveField folia_;
  std::array<int, 3> size_{};
  Eigen::Vector3f origin_;
  std::vector<Fields, Eigen::aligned_allocator<Fields>> table_;
};

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/phantom/head_model_inl.hpp"
#endif
