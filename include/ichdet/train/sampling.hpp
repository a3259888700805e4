#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "ichdet/train/training_study.hpp"

namespace ichdet::train {

/// One slice that may be drawn.
struct Candidate {
  std::int64_t study = 0, slice = 0;  ///< indices of the study and of its slice
  float blood = 0;                    ///< 1, 0, or NaN: not known
  std::string group;
};

/// All slices of the studies in `split`. Blood is what label `any` (or `blood`) says, else the mask where it is known:
/// any class but 0.
std::vector<Candidate> candidates(std::span<const TrainingStudy> studies, const std::string& split);

struct SamplingOptions {
  enum class Balance {
    uniform,       ///< every slice once an epoch
    undersampled,  ///< every slice with blood once an epoch, and as many without, other ones each time (S1); where
                   ///< blood is the commoner, the other way round
    share,         ///< `blood_share` of each group's examples show blood, where the group has both
  };
  Balance balance = Balance::uniform;
  double blood_share = 0.5;
  /// Groups' shares of the examples, by name, whatever their sizes; with these, or with Balance::share, an epoch is as
  /// many examples as there are candidates. Empty: groups are not told apart.
  std::map<std::string, double> group_weights;
  /// Learn from at most this many slices, drawn at random and balanced as told, and from no others: an epoch. 0: all.
  std::int64_t images = 0;
};

/// Which candidate each example is: a pure function of the seed and the example's index, without repeating one of a
/// kind before all of that kind were drawn.
class Sampler {
 public:
  /// Slices of which it is not known whether they show blood are drawn by Balance::uniform alone. Throws Error(options)
  /// where there is nothing to draw from, where a share is not in [0, 1], or a group that has weight has no slice.
  Sampler(std::vector<Candidate> candidates, const SamplingOptions& options, std::uint64_t seed);

  std::int64_t epoch_size() const noexcept { return epoch_; }
  const Candidate& operator()(std::int64_t example) const;

 private:
  struct Kind {
    std::vector<std::size_t> members;  ///< candidates
    std::int64_t first = 0, take = 0;  ///< places in an epoch
  };
  std::vector<Candidate> candidates_;
  std::vector<Kind> kinds_;
  std::int64_t epoch_ = 0;
  std::uint64_t seed_ = 0;
};

/// The `place`-th of a random order of 0 to size - 1: a bijection that is a pure function of its arguments.
std::int64_t permuted(std::int64_t place, std::int64_t size, std::uint64_t seed, std::uint64_t stream);

}  // namespace ichdet::train
