#include "ichdet/train/sampling.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "ichdet/core/error.hpp"
#include "ichdet/phantom/random.hpp"

namespace ichdet::train {
namespace {

// Streams of counter_hash; a kind's own order has one more.
constexpr std::uint64_t epoch_stream = 0x0E90C4, kind_stream = 0x5A3B1E00, kept_stream = 0x13A6E500;

float blood_in(const TrainingStudy& study, std::int64_t slice) {
  for (std::size_t i = 0; i < study.label_names.size(); ++i) {
    if (study.label_names[i] != "any" && study.label_names[i] != "blood") continue;
    if (const float label = study.labels[std::size_t(slice)][i]; !std::isnan(label)) return label;
  }
  if (study.mask.empty()) return std::numeric_limits<float>::quiet_NaN();
  bool known = true;
  for (const auto value : study.mask.plane(slice)) {
    if (value == unknown_label)
      known = false;
    else if (value != 0)
      return 1;
  }
  return known ? 0 : std::numeric_limits<float>::quiet_NaN();
}

/// Whole numbers that sum to `n` in proportion to `shares`, by the largest remainder.
std::vector<std::int64_t> apportion(std::int64_t n, const std::vector<double>& shares) {
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.);
  std::vector<std::int64_t> result;
  std::vector<std::size_t> order(shares.size());
  for (const double share : shares) result.push_back(std::int64_t(double(n) * share / sum));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater{},
                           [&](auto i) { return double(n) * shares[i] / sum - double(result[i]); });
  auto left = n - std::accumulate(result.begin(), result.end(), std::int64_t{0});
  for (std::size_t i = 0; left > 0; ++i, --left) ++result[order[i]];
  return result;
}

/// `count` of them, where there are more, at random.
void keep_some(std::vector<std::size_t>& members, std::int64_t count, std::uint64_t seed, std::uint64_t stream) {
  const auto all = std::exchange(members, {});
  const auto size = std::int64_t(all.size());
  for (std::int64_t i = 0; i < std::min(count, size); ++i) {
    members.push_back(all[std::size_t(permuted(i, size, seed, stream))]);
  }
}

void check_share(const std::string& name, double share) {
  if (share >= 0 && share <= 1) return;
  throw Error::mismatch(ErrorCode::options, name, "0 to 1", std::to_string(share));
}

}  // namespace

std::vector<Candidate> candidates(std::span<const TrainingStudy> studies, const std::string& split) {
  std::vector<Candidate> result;
  for (std::size_t i = 0; i < studies.size(); ++i) {
    if (studies[i].split != split) continue;
    for (std::int64_t slice = 0; slice < studies[i].geometry.count(); ++slice) {
      result.push_back({std::int64_t(i), slice, blood_in(studies[i], slice), studies[i].group});
    }
  }
  return result;
}

std::int64_t permuted(std::int64_t place, std::int64_t size, std::uint64_t seed, std::uint64_t stream) {
  // A Feistel network of four rounds over the next even power of two, walked until it lands inside.
  const int half = (std::bit_width(std::uint64_t(std::max<std::int64_t>(size - 1, 1))) + 1) / 2;
  const std::uint64_t low = (std::uint64_t{1} << half) - 1;
  auto at = std::uint64_t(place);
  do {
    for (std::uint64_t round = 0; round < 4; ++round) {
      const auto left = at >> half, right = at & low;
      at = right << half | (left ^ (counter_hash(seed, stream, round << 60 ^ right) & low));
    }
  } while (at >= std::uint64_t(size));
  return std::int64_t(at);
}

Sampler::Sampler(std::vector<Candidate> candidates, const SamplingOptions& options, std::uint64_t seed)
    : candidates_(std::move(candidates)), seed_(seed) {
  using Balance = SamplingOptions::Balance;
  check_share("blood_share", options.blood_share);
  // The kinds: each group's slices, with and without blood where that counts.
  std::map<std::pair<std::string, int>, Kind> kinds;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    const auto& candidate = candidates_[i];
    const auto group = options.group_weights.empty() ? std::string() : candidate.group;
    if (!options.group_weights.empty() && !options.group_weights.contains(group)) {
      throw Error(ErrorCode::options, "sampling/groups: \"" + group + "\" has slices to draw, and no weight");
    }
    if (options.balance != Balance::uniform && std::isnan(candidate.blood)) continue;
    const int blood = options.balance == Balance::uniform ? 0 : int(candidate.blood > 0.5f);
    kinds[{group, blood}].members.push_back(i);
  }
  if (kinds.empty()) throw Error(ErrorCode::options, "sampling: there is no slice to draw");
  const auto count = [&](const std::string& group, int blood) -> std::int64_t {
    const auto found = kinds.find({group, blood});
    return found == kinds.end() ? 0 : std::int64_t(found->second.members.size());
  };

  std::map<std::string, double> weights = options.group_weights;
  if (weights.empty()) weights[""] = 1;
  std::vector<std::pair<std::string, int>> names;
  std::vector<double> shares;
  std::int64_t drawn = 0;
  for (const auto& [group, weight] : weights) {
    check_share("weight of group " + group, weight);
    if (weight == 0) continue;
    const auto without = count(group, 0), with = count(group, 1);
    if (without + with == 0) throw Error(ErrorCode::options, "sampling: group \"" + group + "\" has no slice to draw");
    double blood = 0;
    if (options.balance == Balance::undersampled) blood = without == 0 ? 1 : with == 0 ? 0 : 0.5;
    if (options.balance == Balance::share) blood = without == 0 ? 1 : with == 0 ? 0 : options.blood_share;
    names.insert(names.end(), {{group, 0}, {group, 1}});
    shares.insert(shares.end(), {weight * (1 - blood), weight * blood});
    drawn += without + with;
  }
  if (options.balance == Balance::undersampled && options.group_weights.empty()) {
    drawn = 2 * std::min(count("", 0), count("", 1));
    if (drawn == 0) throw Error(ErrorCode::options, "sampling: expected slices with and without blood to balance");
  }
  if (options.images > 0) drawn = std::min(drawn, options.images);
  const auto takes = apportion(drawn, shares);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (takes[i] == 0) continue;
    auto& kind = kinds_.emplace_back(std::move(kinds.at(names[i])));
    if (options.images > 0) keep_some(kind.members, takes[i], seed, kept_stream + i);
    kind.first = epoch_;
    kind.take = takes[i];
    epoch_ += kind.take;
  }
}

const Candidate& Sampler::operator()(std::int64_t example) const {
  const auto epoch = example / epoch_;
  const auto place = permuted(example % epoch_, epoch_, seed_, epoch_stream + (std::uint64_t(epoch) << 32));
  const auto kind = std::ranges::upper_bound(kinds_, place, {}, &Kind::first) - 1;
  const auto size = std::int64_t(kind->members.size());
  const auto draw = epoch * kind->take + place - kind->first;  // of this kind, since the beginning
  const auto stream = kind_stream + std::uint64_t(kind - kinds_.begin()) + (std::uint64_t(draw / size) << 32);
  return candidates_[kind->members[std::size_t(permuted(draw % size, size, seed_, stream))]];
}

}  // namespace ichdet::train
