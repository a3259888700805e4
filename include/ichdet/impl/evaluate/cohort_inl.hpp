#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/cohort.hpp"
#include "ichdet/evaluate/proportion.hpp"

namespace ichdet::evaluate {

namespace detail {

inline constexpr std::array<const char*, 3> key_columns{"patient", "study", "slice"};
inline constexpr const char* volume_column = "volume_ml";

ICHDET_INLINE bool is_key(const std::string& column) {
  return std::find(key_columns.begin(), key_columns.end(), column) != key_columns.end();
}

ICHDET_INLINE bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

ICHDET_INLINE std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "\"" : ", \"") + name + "\"";
  return text.empty() ? "none" : text;
}

/// Which columns tell rows apart.
ICHDET_INLINE std::vector<std::string> common_keys(const CsvTable& predictions, const CsvTable& truth) {
  std::vector<std::string> keys;
  for (const auto* key : key_columns) {
    if (predictions.find(key) && truth.find(key)) keys.emplace_back(key);
  }
  if (keys.empty() || keys.front() == "slice") {
    throw Error(ErrorCode::io, predictions.name + " and " + truth.name +
                                   ": expected a column \"study\" or \"patient\" in both, to join them by");
  }
  for (const auto& [with, without] : {std::pair(&predictions, &truth), std::pair(&truth, &predictions)}) {
    if (with->find("slice") && !without->find("slice")) {
      throw Error(ErrorCode::io,
                  with->name + " has a row for each slice (column \"slice\"), " + without->name +
                      " has not: give both, or first make one probability for each study of the slices'");
    }
  }
  return keys;
}

/// A cell that must not be empty.
ICHDET_INLINE const std::string& name_in(const CsvTable& table, std::size_t row, std::size_t column) {
  const auto& cell = table.rows[row].cells[column];
  if (!cell.empty()) return cell;
  throw Error::mismatch(ErrorCode::io, table.place(table.rows[row], column), "a name", "an empty cell");
}

ICHDET_INLINE std::vector<std::string> key_of(const CsvTable& table, std::size_t row,
                                              const std::vector<std::string>& keys) {
  std::vector<std::string> key;
  for (const auto& name : keys) key.push_back(name_in(table, row, *table.find(name)));
  return key;
}

/// Rows by their keys, each once.
ICHDET_INLINE std::map<std::vector<std::string>, std::size_t> rows_by_key(const CsvTable& table,
                                                                          const std::vector<std::string>& keys) {
  std::map<std::vector<std::string>, std::size_t> rows;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto [found, is_new] = rows.emplace(key_of(table, i, keys), i);
    if (is_new) continue;
    throw Error(ErrorCode::io, table.name + ", line " + std::to_string(table.rows[i].line) + ": " + keys.back() +
                                   " \"" + found->first.back() + "\" is in line " +
                                   std::to_string(table.rows[found->second].line) + " already");
  }
  return rows;
}

ICHDET_INLINE std::string joined_key(const std::vector<std::string>& key) {
  std::string text;
  for (const auto& part : key) text += (text.empty() ? "" : " / ") + part;
  return text;
}

/// Those of `names` that are chosen, in that order; all where none is.
ICHDET_INLINE void choose(std::vector<std::string>& names, const std::vector<std::string>& chosen, const char* what) {
  if (chosen.empty()) return;
  for (const auto& name : chosen) {
    if (!holds(names, name))
      throw Error::mismatch(ErrorCode::options, what, "one of " + listed(names), '"' + name + '"');
  }
  names = chosen;
}

/// Where a column of the predictions belongs.
struct PredictionColumn {
  std::size_t column = 0;
  std::string model;
  std::string target;  ///< a class, or volume_column
};

ICHDET_INLINE std::vector<PredictionColumn> prediction_columns(const CsvTable& table, const CsvTable& truth,
                                                               const std::vector<std::string>& classes,
                                                               const std::vector<std::string>& chosen) {
  const auto unnamed = std::filesystem::path(table.name).stem().string();
  std::vector<PredictionColumn> columns;
  std::vector<std::string> models;
  std::optional<std::size_t> bare_volume;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const auto& name = table.columns[c];
    if (is_key(name)) continue;
    if (name == volume_column) {
      bare_volume = c;
      continue;
    }
    const auto colon = name.rfind(':');
    PredictionColumn column{c, name, classes.size() == 1 ? classes.front() : ""};
    if (colon != name.npos) {
      column.model = name.substr(0, colon);
      column.target = name.substr(colon + 1);
    } else if (classes.size() > 1) {
      column.model = unnamed;
      column.target = name;
    }
    const bool known = column.target == volume_column || holds(classes, column.target);
    if (!known && !chosen.empty() && colon == name.npos) continue;  // of no model
    if (!holds(models, column.model)) models.push_back(column.model);
    if (!chosen.empty() && !holds(chosen, column.model)) continue;
    if (!known) {
      throw Error::mismatch(ErrorCode::io, table.name + ", line 1, column \"" + name + "\"",
                            "MODEL:CLASS with a class of " + truth.name + " (" + listed(classes) + ")",
                            "class \"" + column.target + "\"");
    }
    for (const auto& other : columns) {
      if (other.model != column.model || other.target != column.target) continue;
      throw Error(ErrorCode::io, table.name + ", line 1: columns \"" + table.columns[other.column] + "\" and \"" +
                                     name + "\" are one model's of one class");
    }
    columns.push_back(std::move(column));
  }
  if (bare_volume) {
    if (models.size() > 1) {
      throw Error(ErrorCode::io, table.name + ", line 1, column \"" + volume_column +
                                     "\": there are several models; name its own, as in \"" + models.front() +
                                     ":volume_ml\"");
    }
    if (models.empty()) models.push_back(unnamed);
    if (chosen.empty() || holds(chosen, models.front())) {
      columns.push_back({*bare_volume, models.front(), volume_column});
    }
  }
  choose(models, chosen, "--model");
  return columns;
}

/// A volume in each of the chosen rows, NaN where the cell is empty.
ICHDET_INLINE std::vector<double> volumes_of(const CsvTable& table, std::size_t column,
                                             const std::vector<std::size_t>& rows) {
  std::vector<double> volumes;
  for (const auto r : rows) {
    const auto& row = table.rows[r];
    volumes.push_back(row.cells[column].empty() ? undefined
                                                : number_in(table, row, column, 0, 1e6, "mL from 0 to 1000000"));
  }
  return volumes;
}

/// Patients numbered in the order of the rows: as either file names them, else one to each study.
ICHDET_INLINE void number_patients(Cohort& cohort, const CsvTable& predictions, const std::vector<std::size_t>& theirs,
                                   const CsvTable& truth, const std::vector<std::size_t>& ours) {
  const bool in_truth = truth.find("patient").has_value(), in_predictions = predictions.find("patient").has_value();
  const auto& table = in_truth || !in_predictions ? truth : predictions;
  const auto& rows = &table == &truth ? ours : theirs;
  const auto column = *table.find(in_truth || in_predictions ? "patient" : "study");
  if (!in_truth && !in_predictions) {
    cohort.notes.emplace_back("No column \"patient\": each study is taken as a patient of its own.");
  }
  std::map<std::string, std::int32_t> numbers;
  for (const auto r : rows) {
    const auto next = std::int32_t(numbers.size());
    cohort.patient_of_row.push_back(numbers.emplace(name_in(table, r, column), next).first->second);
  }
  cohort.patients = std::int64_t(numbers.size());
}

}  // namespace detail

ICHDET_INLINE Cohort join_cohort(const CsvTable& predictions, const CsvTable& truth, const CohortOptions& options) {
  const auto keys = detail::common_keys(predictions, truth);
  Cohort cohort;
  cohort.unit = keys.back();
  auto unmatched = detail::rows_by_key(predictions, keys);
  detail::rows_by_key(truth, keys);       // each once there too
  std::vector<std::size_t> ours, theirs;  // rows of the truth and of the predictions, side by side
  for (std::size_t i = 0; i < truth.rows.size(); ++i) {
    const auto key = detail::key_of(truth, i, keys);
    const auto found = unmatched.find(key);
    if (found == unmatched.end()) {
      cohort.only_in_truth.push_back(detail::joined_key(key));
      continue;
    }
    ours.push_back(i);
    theirs.push_back(found->second);
    unmatched.erase(found);
    cohort.ids.push_back(detail::joined_key(key));
  }
  for (const auto& [key, row] : unmatched) cohort.only_in_predictions.push_back(detail::joined_key(key));
  if (ours.empty()) {
    throw Error(ErrorCode::io, "no " + cohort.unit + " is in both " + predictions.name + " and " + truth.name);
  }
  detail::number_patients(cohort, predictions, theirs, truth, ours);

  std::vector<std::string> classes;
  for (const auto& column : truth.columns) {
    if (!detail::is_key(column) && column != detail::volume_column) classes.push_back(column);
  }
  const auto columns = detail::prediction_columns(predictions, truth, classes, options.models);
  std::vector<std::string> models;
  bool volumes = false;
  for (const auto& column : columns) {
    if (!detail::holds(models, column.model)) models.push_back(column.model);
    volumes = volumes || column.target == detail::volume_column;
  }
  detail::choose(models, options.models, "--model");
  if (models.empty()) {
    throw Error::mismatch(ErrorCode::io, predictions.name, "a column of probabilities or volumes", "none");
  }
  cohort.classes = classes;
  detail::choose(cohort.classes, options.classes, "--class");
  if (volumes && cohort.unit == "slice") {
    throw Error(ErrorCode::io,
                predictions.name + ": volumes are of studies; leave \"volume_ml\" out where rows are slices");
  }

  for (const auto& name : cohort.classes) {
    auto& labels = cohort.truth.emplace_back();
    const auto column = *truth.find(name);
    for (const auto r : ours) {
      const double value = number_in(truth, truth.rows[r], column, 0, 1, "0 or 1");
      if (value != 0 && value != 1) {
        throw Error::mismatch(ErrorCode::io, truth.place(truth.rows[r], column), "0 or 1",
                              '"' + truth.rows[r].cells[column] + '"');
      }
      labels.push_back(value == 1);
    }
  }
  if (const auto column = truth.find(detail::volume_column)) {
    cohort.truth_volumes_ml = detail::volumes_of(truth, *column, ours);
  }
  for (const auto& name : models) {
    CohortModel model;
    model.name = name;
    model.probabilities.resize(cohort.classes.size());
    for (const auto& column : columns) {
      if (column.model != name) continue;
      if (column.target == detail::volume_column) {
        model.volumes_ml = detail::volumes_of(predictions, column.column, theirs);
        continue;
      }
      const auto at = std::find(cohort.classes.begin(), cohort.classes.end(), column.target);
      if (at == cohort.classes.end()) continue;
      auto& probabilities = model.probabilities[std::size_t(at - cohort.classes.begin())];
      for (const auto r : theirs) {
        probabilities.push_back(
            number_in(predictions, predictions.rows[r], column.column, 0, 1, "a probability from 0 to 1"));
      }
    }
    cohort.models.push_back(std::move(model));
  }
  return cohort;
}

}  // namespace ichdet::evaluate
