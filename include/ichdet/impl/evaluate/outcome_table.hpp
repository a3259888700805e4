#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/confusion.hpp"
#include "ichdet/evaluate/curves.hpp"
#include "ichdet/evaluate/outcome.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

/// Outcomes as rows that a bootstrap of patients can draw.
namespace ichdet::evaluate::detail {

/// All slices of all studies whose truth and probability are known.
struct SliceRows {
  std::vector<double> probability;
  std::vector<std::uint8_t> blood;
  std::vector<std::int32_t> patient;
};

struct OutcomeTable {
  std::int32_t patients = 0;
  std::vector<std::int32_t> patient_of_study;
  std::vector<Overlap> overlap_of_patient;  ///< added over a patient's studies with a true mask
  SliceRows slices;
};

inline OutcomeTable table_of(const std::vector<StudyOutcome>& outcomes) {
  OutcomeTable table;
  std::map<std::string, std::int32_t> numbers;
  std::set<std::string> names;
  for (const auto& outcome : outcomes) {
    if (!names.insert(outcome.study).second) {
      throw Error(ErrorCode::options, "study " + outcome.study + ": occurs twice among the outcomes");
    }
    const auto& name = outcome.patient.empty() ? outcome.study : outcome.patient;
    const auto patient = numbers.emplace(name, std::int32_t(numbers.size())).first->second;
    table.patient_of_study.push_back(patient);
    table.overlap_of_patient.resize(numbers.size());
    if (outcome.overlap) {
      auto& sum = table.overlap_of_patient[std::size_t(patient)];
      sum.predicted += outcome.overlap->predicted;
      sum.truth += outcome.overlap->truth;
      sum.both += outcome.overlap->both;
    }
    for (std::size_t s = 0; s < outcome.slices.size(); ++s) {
      const auto& slice = outcome.slices[s];
      if (!(slice.probability >= 0 && slice.probability <= 1) && slice.probability == slice.probability) {
        throw Error::mismatch(ErrorCode::options,
                              "study " + outcome.study + ", slice " + std::to_string(s) + ", probability",
                              "a number from 0 to 1", std::to_string(slice.probability));
      }
      if (!slice.blood || slice.probability != slice.probability) continue;
      table.slices.probability.push_back(slice.probability);
      table.slices.blood.push_back(*slice.blood);
      table.slices.patient.push_back(patient);
    }
  }
  table.patients = std::int32_t(numbers.size());
  if (outcomes.empty()) throw Error::mismatch(ErrorCode::shape, "outcomes", "at least one study", "none");
  return table;
}

/// The slices that show the type, and those that show no blood.
inline SliceRows rows_of_type(const std::vector<StudyOutcome>& outcomes, const OutcomeTable& table,
                              const std::string& type) {
  SliceRows rows;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const auto found = outcomes[i].types.find(type);
    for (std::size_t s = 0; s < outcomes[i].slices.size(); ++s) {
      const auto& slice = outcomes[i].slices[s];
      if (!slice.blood || std::isnan(slice.probability)) continue;
      const bool shows = found != outcomes[i].types.end() && found->second[s] != 0;
      if (!shows && *slice.blood) continue;
      rows.probability.push_back(slice.probability);
      rows.blood.push_back(shows);
      rows.patient.push_back(table.patient_of_study[i]);
    }
  }
  return rows;
}

struct RankedRows {
  SliceRows rows;
  Ranking ranking;
};

/// Studies with a probability and a truth, as rows.
inline SliceRows study_rows(const std::vector<StudyOutcome>& outcomes, const OutcomeTable& table) {
  SliceRows rows;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const auto blood = outcomes[i].blood();
    if (!blood || std::isnan(outcomes[i].probability)) continue;
    rows.probability.push_back(outcomes[i].probability);
    rows.blood.push_back(*blood);
    rows.patient.push_back(table.patient_of_study[i]);
  }
  return rows;
}

/// By type; the slices that show it are the positive ones.
inline std::map<std::string, RankedRows> rows_by_type(const std::vector<StudyOutcome>& outcomes,
                                                      const OutcomeTable& table) {
  std::map<std::string, RankedRows> by_type;
  for (const auto& outcome : outcomes) {
    for (const auto& [type, shown] : outcome.types) {
      check_rows("study " + outcome.study + ", " + type, outcome.slices.size(), shown.size());
      by_type[type];
    }
  }
  for (auto& [type, of] : by_type) {
    of.rows = rows_of_type(outcomes, table, type);
    of.ranking = rank(of.rows.blood, of.rows.probability);
  }
  return by_type;
}

/// Mean Dice over the patients with blood, each counted as often as it was drawn (once where nothing was).
inline double mean_dice(const OutcomeTable& table, std::span<const std::uint32_t> times = {}) {
  double sum = 0, count = 0;
  for (std::size_t p = 0; p < table.overlap_of_patient.size(); ++p) {
    const auto& o = table.overlap_of_patient[p];
    if (o.truth == 0) continue;
    const double n = times.empty() ? 1 : times[p];
    sum += n * o.dice();
    count += n;
  }
  return count > 0 ? sum / count : undefined;
}

/// Decisions "probability >= threshold", each row counted as often as its patient was drawn.
inline Confusion drawn_confusion(const SliceRows& rows, double threshold, std::span<const std::uint32_t> times) {
  Confusion counts;
  for (std::size_t i = 0; i < rows.blood.size(); ++i) {
    const std::int64_t n = times.empty() ? 1 : times[std::size_t(rows.patient[i])];
    const bool called = rows.probability[i] >= threshold;
    (rows.blood[i] ? called ? counts.true_positives : counts.false_negatives
     : called      ? counts.false_positives
                   : counts.true_negatives) += n;
  }
  return counts;
}

/// For each row how often its patient was drawn.
inline std::vector<std::uint32_t> drawn_rows(const SliceRows& rows, std::span<const std::uint32_t> times) {
  std::vector<std::uint32_t> drawn;
  drawn.reserve(rows.patient.size());
  for (const auto p : rows.patient) drawn.push_back(times[std::size_t(p)]);
  return drawn;
}

/// 0, 1, 2, ...: a bootstrap whose rows are the patients themselves.
inline std::vector<std::int32_t> every_patient(const OutcomeTable& table) {
  std::vector<std::int32_t> all(std::size_t(table.patients));
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = std::int32_t(i);
  return all;
}

}  // namespace ichdet::evaluate::detail
