#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/ensemble/combine.hpp"
#include "ichdet/impl/ensemble/shared.hpp"

namespace ichdet::ensemble {

namespace detail {

inline constexpr float smallest_odds_part = 1e-6f;

/// What one plane (z) of all classes looks like from inside a loop over its voxels.
struct PlaneView {
  PlaneView(const Array4<float>& array, std::int64_t z)
      : classes(array.extent(0)),
        voxels(array.extent(2) * array.extent(3)),
        stride(array.extent(1) * voxels),
        first(const_cast<float*>(array.data()) + z * voxels) {}
  float& operator()(std::int64_t c, std::int64_t i) const { return first[c * stride + i]; }

  std::int64_t classes, voxels, stride;
  float* first;
};

ICHDET_INLINE float log_odds(float p, float background) {
  return std::log(std::max(p, smallest_odds_part) / std::max(background, smallest_odds_part));
}
inline const float certain_background = std::log(smallest_odds_part);  ///< most of a scan

/// The likeliest class, and of the others than background.
struct Likeliest {
  std::int64_t of_all = 0, claimed = 1;
  float claim = 0;  ///< how much likelier than background the claimed one is
};
ICHDET_INLINE Likeliest likeliest(const PlaneView& p, std::int64_t i) {
  Likeliest found;
  for (std::int64_t c = 1; c < p.classes; ++c) {
    if (p(c, i) > p(found.of_all, i)) found.of_all = c;
    if (p(c, i) > p(found.claimed, i)) found.claimed = c;
  }
  found.claim = p(found.claimed, i) - p(0, i);
  return found;
}

}  // namespace detail

ICHDET_INLINE std::string to_string(CombineRule rule) {
  switch (rule) {
    case CombineRule::mean: return "mean";
    case CombineRule::logits: return "logits";
    case CombineRule::majority: return "majority";
    case CombineRule::any: return "union";
    case CombineRule::stacking: return "stacking";
  }
  return {};
}

ICHDET_INLINE CombineRule parse_combine_rule(const std::string& text) {
  for (const auto rule :
       {CombineRule::mean, CombineRule::logits, CombineRule::majority, CombineRule::any, CombineRule::stacking}) {
    if (to_string(rule) == text) return rule;
  }
  throw Error::mismatch(ErrorCode::options, "combination rule", "mean, logits, majority, union or stacking", text);
}

ICHDET_INLINE Combiner::Combiner(std::vector<std::string> classes, const std::array<std::int64_t, 3>& shape,
                                 CombineRule rule, double intercept, int threads)
    : classes_(std::move(classes)),
      rule_(rule),
      intercept_(intercept),
      threads_(threads),
      sum_({std::int64_t(classes_.size()), shape[0], shape[1], shape[2]}),
      totals_(classes_.size() * std::size_t(shape[0])) {
  if (classes_.size() < 2) {
    throw Error::mismatch(ErrorCode::options, "ensemble: classes", "background and at least one more",
                          std::to_string(classes_.size()));
  }
  if (rule_ == CombineRule::any) std::ranges::fill(sum_.plane(0), 2.f);  // any member claims more than this
}

ICHDET_INLINE void Combiner::add(const std::string& member, const Array4<float>& probabilities,
                                 std::span<const double> weights, const std::vector<bool>& answers) {
  const auto refuse = [&](ErrorCode code, const std::string& what, const std::string& expected,
                          const std::string& has) {
    throw Error::mismatch(code, "member " + member + ": " + what, expected, has);
  };
  if (probabilities.extent(0) != sum_.extent(0)) {
    refuse(ErrorCode::shape, "classes", std::to_string(sum_.extent(0)), std::to_string(probabilities.extent(0)));
  }
  check_shape("member " + member + ": probabilities", {sum_.extent(1), sum_.extent(2), sum_.extent(3)},
              {probabilities.extent(1), probabilities.extent(2), probabilities.extent(3)});
  const auto planes = std::size_t(sum_.extent(1));
  if (weights.size() != 1 && weights.size() != planes) {
    refuse(ErrorCode::shape, "weights", "1, or one for each of " + std::to_string(planes) + " slices",
           std::to_string(weights.size()));
  }
  for (const double weight : weights) {
    const bool usable = std::isfinite(weight) && (weight >= 0 || rule_ == CombineRule::stacking);
    if (!usable) refuse(ErrorCode::options, "weight", "a number from 0 on", std::to_string(weight));
  }
  if (!answers.empty() && answers.size() != classes_.size()) {
    refuse(ErrorCode::shape, "answers", std::to_string(classes_.size()), std::to_string(answers.size()));
  }
  const auto all = answers.empty() ? std::vector<bool>(classes_.size(), true) : answers;
  parallel_for(sum_.extent(1), threads_, [&](std::int64_t z) {
    const double weight = weights[weights.size() == 1 ? 0 : std::size_t(z)];
    if (weight != 0) add_plane(z, probabilities, weight, all);
  });
}

ICHDET_INLINE void Combiner::add_plane(std::int64_t z, const Array4<float>& probabilities, double weight,
                                       const std::vector<bool>& answers) {
  const detail::PlaneView from(probabilities, z), into(sum_, z);
  const auto w = float(weight);
  for (std::int64_t c = 0; c < into.classes; ++c) {
    if (answers[std::size_t(c)]) totals_[std::size_t(c * sum_.extent(1) + z)] += std::abs(weight);
  }
  switch (rule_) {
    case CombineRule::mean:
      for (std::int64_t c = 1; c < into.classes; ++c) {
        if (!answers[std::size_t(c)]) continue;
        for (std::int64_t i = 0; i < into.voxels; ++i) into(c, i) += w * from(c, i);
      }
      break;
    case CombineRule::logits:
    case CombineRule::stacking:
      for (std::int64_t c = 1; c < into.classes; ++c) {
        if (!answers[std::size_t(c)]) continue;
        for (std::int64_t i = 0; i < into.voxels; ++i) {
          into(c, i) += w * (from(0, i) >= 1 ? detail::certain_background : detail::log_odds(from(c, i), from(0, i)));
        }
      }
      break;
    case CombineRule::majority:
      for (std::int64_t i = 0; i < into.voxels; ++i) {
        if (from(0, i) >= 1) continue;
        if (const auto voted = detail::likeliest(from, i).of_all; voted != 0) into(voted, i) += w;
      }
      break;
    case CombineRule::any:
      for (std::int64_t i = 0; i < into.voxels; ++i) {
        const bool first = into(0, i) > 1;
        if (!first && detail::likeliest(from, i).claim <= detail::likeliest(into, i).claim) continue;
        for (std::int64_t c = 0; c < into.classes; ++c) into(c, i) = from(c, i);
      }
      break;
  }
}

ICHDET_INLINE void Combiner::finish_plane(std::int64_t z) {
  const detail::PlaneView sum(sum_, z);
  if (rule_ == CombineRule::any) return;
  const bool logits = rule_ == CombineRule::logits || rule_ == CombineRule::stacking;
  std::vector<float> scale(std::size_t(sum.classes), 1);
  for (std::int64_t c = 1; rule_ != CombineRule::stacking && c < sum.classes; ++c) {
    scale[std::size_t(c)] = float(1 / totals_[std::size_t(c * sum_.extent(1) + z)]);
  }
  const auto shift = rule_ == CombineRule::stacking ? float(intercept_) : 0.f;
  for (std::int64_t i = 0; i < sum.voxels; ++i) {
    float highest = 0, others = 0;
    for (std::int64_t c = 1; c < sum.classes; ++c) {
      sum(c, i) = sum(c, i) * scale[std::size_t(c)] + shift;
      highest = std::max(highest, sum(c, i));
      others += sum(c, i);
    }
    if (!logits) {
      sum(0, i) = std::max(0.f, 1 - others);
      if (others <= 1) continue;
      for (std::int64_t c = 1; c < sum.classes; ++c) sum(c, i) /= others;
      continue;
    }
    float all = sum(0, i) = std::exp(-highest);
    for (std::int64_t c = 1; c < sum.classes; ++c) all += sum(c, i) = std::exp(sum(c, i) - highest);
    for (std::int64_t c = 0; c < sum.classes; ++c) sum(c, i) /= all;
  }
}

ICHDET_INLINE Array4<float> Combiner::finish() {
  for (std::size_t c = 1; c < classes_.size(); ++c) {
    for (std::int64_t z = 0; z < sum_.extent(1); ++z) {
      if (totals_[c * std::size_t(sum_.extent(1)) + std::size_t(z)] > 0) continue;
      throw Error::mismatch(ErrorCode::options, "ensemble: class " + classes_[c], "a member that answers it",
                            "none with weight at slice " + std::to_string(z));
    }
  }
  parallel_for(sum_.extent(1), threads_, [&](std::int64_t z) { finish_plane(z); });
  return std::move(sum_);
}

namespace detail {

ICHDET_INLINE double weight_of(std::span<const double> weights, std::size_t member, std::size_t members) {
  if (weights.empty()) return 1;
  if (weights.size() == members) return weights[member];
  throw Error::mismatch(ErrorCode::shape, "ensemble: weights", std::to_string(members) + ", one for each member",
                        std::to_string(weights.size()));
}

}  // namespace detail

ICHDET_INLINE ProbabilityMap combine(std::span<const ProbabilityMap> members, CombineRule rule,
                                     std::span<const double> weights, double intercept, int threads) {
  if (members.empty()) throw Error(ErrorCode::options, "ensemble: no member was given");
  const auto& first = members.front();
  Combiner combiner(first.classes, first.geometry.shape(), rule, intercept, threads);
  for (std::size_t m = 0; m < members.size(); ++m) {
    detail::check_member(first, members[m], first.classes, members[m].classes, m);
    const double weight = detail::weight_of(weights, m, members.size());
    combiner.add(std::to_string(m), members[m].values, std::span(&weight, 1));
  }
  return {combiner.finish(), first.classes, first.geometry};
}

ICHDET_INLINE LabelMap vote(std::span<const LabelMap> members, CombineRule rule, std::span<const double> weights) {
  if (rule != CombineRule::majority && rule != CombineRule::any) {
    throw Error::mismatch(ErrorCode::options, "vote: rule", "majority or union", to_string(rule));
  }
  if (members.empty()) throw Error(ErrorCode::options, "ensemble: no member was given");
  const auto& first = members.front();
  for (std::size_t m = 0; m < members.size(); ++m) {
    detail::check_member(first, members[m], first.names, members[m].names, m);
    const double weight = detail::weight_of(weights, m, members.size());
    if (!(weight >= 0 && std::isfinite(weight))) {
      throw Error::mismatch(ErrorCode::options, "member " + std::to_string(m) + ": weight", "a number from 0 on",
                            std::to_string(weight));
    }
  }
  auto labels = Array3<std::uint8_t>::uninitialized(first.labels.shape());
  std::vector<double> votes(256);
  for (std::int64_t i = 0; i < labels.size(); ++i) {
    std::ranges::fill(votes, 0);
    std::uint8_t claimed = 0;
    for (std::size_t m = 0; m < members.size(); ++m) {
      const auto label = members[m].labels.data()[i];
      const double weight = weights.empty() ? 1 : weights[m];
      votes[label] += weight;
      if (claimed == 0 && weight > 0) claimed = label;
    }
    const auto most = std::uint8_t(std::ranges::max_element(votes) - votes.begin());
    labels.data()[i] = rule == CombineRule::majority ? most : claimed;
  }
  return {std::move(labels), first.names, first.geometry};
}

ICHDET_INLINE void multiply_by_slice(Array4<float>& probabilities, std::span<const double> by_slice) {
  if (std::int64_t(by_slice.size()) != probabilities.extent(1)) {
    throw Error::mismatch(ErrorCode::shape, "slice probabilities", std::to_string(probabilities.extent(1)) + " slices",
                          std::to_string(by_slice.size()));
  }
  for (std::size_t z = 0; z < by_slice.size(); ++z) {
    if (!(by_slice[z] >= 0 && by_slice[z] <= 1)) {
      throw Error::mismatch(ErrorCode::options, "slice " + std::to_string(z) + ": probability", "0 to 1",
                            std::to_string(by_slice[z]));
    }
    const detail::PlaneView plane(probabilities, std::int64_t(z));
    const auto factor = float(by_slice[z]);
    for (std::int64_t i = 0; i < plane.voxels; ++i) {
      float others = 0;
      for (std::int64_t c = 1; c < plane.classes; ++c) others += plane(c, i) *= factor;
      plane(0, i) = std::max(0.f, 1 - others);
    }
  }
}

}  // namespace ichdet::ensemble
