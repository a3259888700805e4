#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/config.hpp"
#include "ichdet/core/volume.hpp"

namespace ichdet::ensemble {

struct StapleOptions {
  double tolerance = 1e-7;  ///< the largest change of a rate that counts as none
  int max_iterations = 10'000;
};

/// Simultaneous truth and performance level estimation (Warfield, Zou and Wells 2004), for any number of labels: which
/// label a voxel has, and how good each member is, by expectation maximisation.
///
/// Starts from the shares of the votes; a label's prior is its share of all votes. So of two labels it is ITK's
/// STAPLEImageFilter, of more it has the fixed points of ITK's MultiLabelSTAPLEImageFilter, which starts elsewhere.
/// Members enter by what they say alone: voxels on which all members say the same are one row, so a step takes time by
/// the number of rows, not of voxels. Count slabs one after another, fit, then ask for slabs.
class Staple {
 public:
  /// Throws Error(options) for no member or fewer than 2 or more than 256 labels, Error(limit) where labels to the
  /// power of members is above 2^63.
  Staple(std::size_t members, std::size_t labels);

  /// Members' labels of some voxels. Throws Error(shape) where there are not as many members, lengths differ, or a
  /// label is out of range; so does `posterior`.
  void count(std::span<const std::span<const std::uint8_t>> members);

  /// Throws Error(options) where nothing was counted or max_iterations do not suffice.
  void fit(const StapleOptions& options = {});

  /// (label, voxel), each voxel's sum 1. Of what was counted; Error(options) for a combination that was not.
  void posterior(std::span<const std::span<const std::uint8_t>> members, std::span<float> out) const;

  int iterations() const noexcept { return iterations_; }
  /// How often this member says `said` where the truth is `truth`: of two labels rate(m, 1, 1) is its sensitivity,
  /// rate(m, 0, 0) its specificity. 0 where no voxel has that truth.
  double rate(std::size_t member, std::size_t said, std::size_t truth) const {
    return rates_[(member * labels_ + said) * labels_ + truth];
  }

 private:
  std::uint64_t key(std::span<const std::span<const std::uint8_t>> members, std::size_t voxel) const;
  void check(std::span<const std::span<const std::uint8_t>> members) const;

  std::size_t members_, labels_;
  int iterations_ = 0;
  std::unordered_map<std::uint64_t, std::int64_t> counts_;
  std::unordered_map<std::uint64_t, std::size_t> row_of_;
  std::vector<double> rates_;      ///< member, said, truth
  std::vector<double> posterior_;  ///< row, label
};

/// All at once: the posterior of label maps on one grid with the same names.
/// Throws as Staple does, and as combine() where members do not fit each other.
ProbabilityMap staple(std::span<const LabelMap> members, const StapleOptions& options = {});

}  // namespace ichdet::ensemble

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/ensemble/staple_inl.hpp"
#endif
