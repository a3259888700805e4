#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/csv.hpp"

namespace ichdet::evaluate {

/// What one model said about each row of a cohort.
struct CohortModel {
  std::string name;
  std::vector<std::vector<double>> probabilities;  ///< class, row; empty for a class that the model does not know
  std::vector<double> volumes_ml;                  ///< row; NaN where none was measured; empty where the model has none
};

/// Predictions beside the truth. Rows are in the order of the truth.
struct Cohort {
  std::string unit;              ///< what a row is: "patient", "study" or "slice"
  std::vector<std::string> ids;  ///< of the rows, as "patient / study / slice"
  std::vector<std::int32_t> patient_of_row;
  std::int64_t patients = 0;
  std::vector<std::string> classes;
  std::vector<std::vector<std::uint8_t>> truth;  ///< class, row
  std::vector<double> truth_volumes_ml;          ///< row; NaN where none was measured; empty where there are none
  std::vector<CohortModel> models;
  std::vector<std::string> only_in_predictions, only_in_truth;  ///< ids of rows that the other file does not have
  std::vector<std::string> notes;                               ///< what was assumed to join the files

  std::int64_t rows() const noexcept { return std::int64_t(ids.size()); }
};

struct CohortOptions {
  std::vector<std::string> models;   ///< evaluate these alone, in this order; empty: all
  std::vector<std::string> classes;  ///< likewise, of the truth
};

/// Joins two tables on those of the columns `patient`, `study` and `slice` that both have; patient or study must be
/// one.
///
/// Truth: every further column is a class, 0 or 1 in each row; `volume_ml` is a volume, empty where not measured.
/// Predictions: every further column holds a probability in [0, 1] and is named `MODEL:CLASS`, or `MODEL` where the
/// truth has one class, or `CLASS` where it has several (the model is then called as the file is);
/// `MODEL:volume_ml`, or `volume_ml` where there is one model, is a volume. A patient is what `patient` says, in either
/// file, else the study.
///
/// Throws Error(io) that names file, line and column where a value or a name cannot be used, where a row occurs twice,
/// where one file has slices and the other has not, and where no row is in both; Error(options) where a chosen model or
/// class does not exist.
Cohort join_cohort(const CsvTable& predictions, const CsvTable& truth, const CohortOptions& options = {});

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/cohort_inl.hpp"
#endif
