#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "ichdet/train/manifest.hpp"

namespace ichdet::train {

/// A part of the patients, by name.
struct SplitPart {
  std::string name;
  double share = 0;  ///< of the sum of all parts' shares: 0.9 of 1, or 62 of 87
};

/// Which part each patient belongs to. Patients are sorted by SHA-256 of "seed:patient" and dealt out in that order,
/// each part getting its share (by the largest remainder), so that a new patient moves at most one other across each
/// border. Throws Error(options) without parts, or where a share is not positive or a name is there twice.
std::map<std::string, std::string> split_patients(const std::set<std::string>& patients,
                                                  const std::vector<SplitPart>& parts, std::uint64_t seed);

/// Parts "0" to "k - 1" of equal shares. Throws Error(options) for k < 2.
std::vector<SplitPart> folds(int k);

/// Gives each study without a split that of its patient, or where no study of the patient has one, one of `parts`.
/// Throws Error(options), naming both places, where a patient is in two splits.
void assign_splits(std::vector<StudyEntry>& studies, const std::vector<SplitPart>& parts, std::uint64_t seed);
/// The same from a split file. Throws Error(options) where it does not name a patient, or contradicts a study.
void assign_splits(std::vector<StudyEntry>& studies, const std::map<std::string, std::string>& by_patient);
/// Over several data sets at once, so that a patient of two of them is on one side.
void assign_splits(std::vector<Dataset>& sets, const std::vector<SplitPart>& parts, std::uint64_t seed);

/// One of `of` rounds of cross validation, counted from 1.
struct Fold {
  int number = 1, of = 5;
};

/// "2/5". Throws Error(options) for anything else, or a number outside 1 to `of`, or fewer than 2.
Fold parse_fold(const std::string& text);

/// Deals the patients whose split is empty, "train" or `held_out` into folds anew: those of fold `fold.number` are
/// `held_out`, the others "train". What has another split stays apart. Throws Error(options) where a patient is on both
/// sides of that, or there are fewer patients than folds.
void assign_fold(std::vector<Dataset>& sets, const Fold& fold, const std::string& held_out, std::uint64_t seed);

/// SHA-256 of the sorted lines "study,patient,split".
std::string split_hash(const std::vector<StudyEntry>& studies);

/// CSV with columns study, patient, split, sorted.
void write_split(const std::filesystem::path& csv, const std::vector<StudyEntry>& studies);
/// Such a file's splits by patient. Throws Error(io) that names the line where a patient is in two splits.
std::map<std::string, std::string> read_split(const std::filesystem::path& csv);

}  // namespace ichdet::train
