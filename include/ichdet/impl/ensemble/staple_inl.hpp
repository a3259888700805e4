#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/ensemble/staple.hpp"
#include "ichdet/impl/ensemble/shared.hpp"

namespace ichdet::ensemble {

ICHDET_INLINE Staple::Staple(std::size_t members, std::size_t labels) : members_(members), labels_(labels) {
  if (members == 0) throw Error(ErrorCode::options, "STAPLE: no member was given");
  if (labels < 2 || labels > 256) {
    throw Error::mismatch(ErrorCode::options, "STAPLE: labels", "2 to 256", std::to_string(labels));
  }
  if (double(members) * std::log2(double(labels)) > 63) {
    throw Error::mismatch(ErrorCode::limit, "STAPLE: labels to the power of members", "at most 2^63",
                          std::to_string(labels) + "^" + std::to_string(members));
  }
}

ICHDET_INLINE void Staple::check(std::span<const std::span<const std::uint8_t>> members) const {
  if (members.size() != members_) {
    throw Error::mismatch(ErrorCode::shape, "STAPLE: members", std::to_string(members_),
                          std::to_string(members.size()));
  }
  for (std::size_t m = 0; m < members_; ++m) {
    const auto subject = "STAPLE: member " + std::to_string(m);
    if (members[m].size() != members[0].size()) {
      throw Error::mismatch(ErrorCode::shape, subject, std::to_string(members[0].size()) + " voxels",
                            std::to_string(members[m].size()));
    }
    const auto bad = std::ranges::find_if(members[m], [&](std::uint8_t label) { return label >= labels_; });
    if (bad == members[m].end()) continue;
    throw Error::mismatch(ErrorCode::shape, subject + ": label", "below " + std::to_string(labels_),
                          std::to_string(*bad));
  }
}

ICHDET_INLINE std::uint64_t Staple::key(std::span<const std::span<const std::uint8_t>> members,
                                        std::size_t voxel) const {
  std::uint64_t value = 0;
  for (const auto& member : members) value = value * labels_ + member[voxel];
  return value;
}

ICHDET_INLINE void Staple::count(std::span<const std::span<const std::uint8_t>> members) {
  check(members);
  const auto voxels = members[0].size();
  for (std::size_t i = 0; i < voxels;) {
    const auto here = key(members, i);
    const auto first = i;
    while (i < voxels && key(members, i) == here) ++i;
    counts_[here] += std::int64_t(i - first);
  }
}

ICHDET_INLINE void Staple::fit(const StapleOptions& options) {
  if (counts_.empty()) throw Error(ErrorCode::options, "STAPLE: no voxel was counted");
  std::vector<std::pair<std::uint64_t, std::int64_t>> rows(counts_.begin(), counts_.end());
  std::ranges::sort(rows);
  row_of_.clear();
  std::vector<std::size_t> said(rows.size() * members_);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    row_of_[rows[r].first] = r;
    auto rest = rows[r].first;
    for (std::size_t m = members_; m-- > 0; rest /= labels_) said[r * members_ + m] = rest % labels_;
  }

  posterior_.assign(rows.size() * labels_, 0);
  std::vector<double> prior(labels_);
  double voxels = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    voxels += double(rows[r].second);
    for (std::size_t m = 0; m < members_; ++m) {
      posterior_[r * labels_ + said[r * members_ + m]] += 1 / double(members_);
      prior[said[r * members_ + m]] += double(rows[r].second) / double(members_);
    }
  }
  for (auto& p : prior) p /= voxels;

  rates_.assign(members_ * labels_ * labels_, 0);
  std::vector<double> next(rates_.size()), truths(labels_);
  for (iterations_ = 1; iterations_ <= options.max_iterations; ++iterations_) {
    std::ranges::fill(next, 0);
    std::ranges::fill(truths, 0);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      for (std::size_t c = 0; c < labels_; ++c) {
        const double mass = posterior_[r * labels_ + c] * double(rows[r].second);
        truths[c] += mass;
        for (std::size_t m = 0; m < members_; ++m) next[(m * labels_ + said[r * members_ + m]) * labels_ + c] += mass;
      }
    }
    double change = 0;
    for (std::size_t i = 0; i < next.size(); ++i) {
      next[i] = truths[i % labels_] > 0 ? next[i] / truths[i % labels_] : 0;
      change = std::max(change, std::abs(next[i] - rates_[i]));
    }
    rates_.swap(next);

    for (std::size_t r = 0; r < rows.size(); ++r) {
      double* const p = &posterior_[r * labels_];
      double all = 0;
      for (std::size_t c = 0; c < labels_; ++c) {
        p[c] = prior[c];
        for (std::size_t m = 0; m < members_; ++m) p[c] *= rate(m, said[r * members_ + m], c);
        all += p[c];
      }
      for (std::size_t c = 0; c < labels_; ++c) p[c] = all > 0 ? p[c] / all : prior[c];
    }
    if (iterations_ > 1 && change <= options.tolerance) return;
  }
  throw Error(ErrorCode::options,
              "STAPLE: the rates still change after max_iterations = " + std::to_string(options.max_iterations));
}

ICHDET_INLINE void Staple::posterior(std::span<const std::span<const std::uint8_t>> members,
                                     std::span<float> out) const {
  check(members);
  const auto voxels = members[0].size();
  if (out.size() != voxels * labels_) {
    throw Error::mismatch(ErrorCode::shape, "STAPLE: posterior", std::to_string(voxels * labels_) + " values",
                          std::to_string(out.size()));
  }
  for (std::size_t i = 0; i < voxels;) {
    const auto here = key(members, i);
    const auto row = row_of_.find(here);
    if (row == row_of_.end()) throw Error(ErrorCode::options, "STAPLE: these labels were not counted before the fit");
    const double* const p = &posterior_[row->second * labels_];
    for (; i < voxels && key(members, i) == here; ++i) {
      for (std::size_t c = 0; c < labels_; ++c) out[c * voxels + i] = float(p[c]);
    }
  }
}

ICHDET_INLINE ProbabilityMap staple(std::span<const LabelMap> members, const StapleOptions& options) {
  if (members.empty()) throw Error(ErrorCode::options, "STAPLE: no member was given");
  const auto& first = members.front();
  std::vector<std::span<const std::uint8_t>> labels;
  for (std::size_t m = 0; m < members.size(); ++m) {
    detail::check_member(first, members[m], first.names, members[m].names, m);
    labels.emplace_back(members[m].labels.data(), std::size_t(members[m].labels.size()));
  }
  Staple estimate(members.size(), first.names.size());
  estimate.count(labels);
  estimate.fit(options);
  const auto shape = first.geometry.shape();
  auto values = Array4<float>::uninitialized({std::int64_t(first.names.size()), shape[0], shape[1], shape[2]});
  estimate.posterior(labels, {values.data(), std::size_t(values.size())});
  return {std::move(values), first.names, first.geometry};
}

}  // namespace ichdet::ensemble
