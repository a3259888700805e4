#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/config.hpp"
#include "ichdet/core/volume.hpp"

namespace ichdet::ensemble {

enum class CombineRule {
  mean,      ///< weighted mean of the probabilities
  logits,    ///< weighted mean of the logits against background, then softmax: of softmax networks their mean logits
  majority,  ///< each member votes for its likeliest class: the shares of the votes, weighted
  any,       ///< union: at each voxel the member that claims a class most surely against background has its way
  stacking,  ///< sigmoid or softmax of intercept + sum of weight · logit: weights from fit_stacking, not normalised
};

/// "mean", "logits", "majority", "union", "stacking".
std::string to_string(CombineRule rule);
/// Throws Error(options) that lists the names there are.
CombineRule parse_combine_rule(const std::string& text);

/// Merges members' probabilities (class, z, y, x; class 0 background) as they come: no more than one sum is kept, and a
/// slab of slices can be merged alone.
///
/// What a class other than background gets is decided among the members that answer it; background is what is left.
/// `any` gives the likeliest class other than background wherever some member's likeliest class is one, and the
/// distribution is the most claiming member's, of equal ones the first's; weights other than 0 play no part in it.
/// Logits are of probabilities of at least 1e-6, as they come: of interpolated maps after interpolation (S2: before).
class Combiner {
 public:
  /// Throws Error(options) without at least two classes.
  Combiner(std::vector<std::string> classes, const std::array<std::int64_t, 3>& shape_zyx, CombineRule rule,
           double intercept = 0, int threads = 1);

  /// `weights`: one, or one for each z (S3's weights by slice); not negative unless the rule is stacking.
  /// `answers`: for each class whether the member tells about it; empty: it does about all.
  /// Throws Error(shape) that names the member where shapes or lengths differ, Error(options) for a weight out of
  /// range.
  void add(const std::string& member, const Array4<float>& probabilities, std::span<const double> weights,
           const std::vector<bool>& answers = {});

  /// The combined probabilities, which sum to 1; the buffer is the sum's own, so that a Combiner finishes once.
  /// Throws Error(options) that names the class which no member answered, and where nothing was added.
  Array4<float> finish();

 private:
  void add_plane(std::int64_t z, const Array4<float>& probabilities, double weight, const std::vector<bool>& answers);
  void finish_plane(std::int64_t z);

  std::vector<std::string> classes_;
  CombineRule rule_;
  double intercept_;
  int threads_;
  Array4<float> sum_;           ///< of all classes; of background only with `any`
  std::vector<double> totals_;  ///< weight by class, z
};

/// All at once: members on one grid with the same classes. Throws as Combiner does, naming members by their number.
ProbabilityMap combine(std::span<const ProbabilityMap> members, CombineRule rule, std::span<const double> weights = {},
                       double intercept = 0, int threads = 0);

/// Majority or union vote of label maps, ties of a majority to the lower label, of a union to the first member's.
LabelMap vote(std::span<const LabelMap> members, CombineRule rule, std::span<const double> weights = {});

/// A classifier's opinion of each slice on a segmenter's: every class but background is multiplied by its slice's
/// probability. Throws Error(shape) unless there is one for each z, Error(options) where one is not in [0, 1].
void multiply_by_slice(Array4<float>& probabilities, std::span<const double> by_slice);

}  // namespace ichdet::ensemble

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/ensemble/combine_inl.hpp"
#endif
