#include "ichdet/train/split.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <numeric>
#include <span>

#include "ichdet/bundle/sha256.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/csv.hpp"

namespace ichdet::train {
namespace {

std::string hash_of(const std::string& text) { return sha256(std::as_bytes(std::span(text))); }

/// How many of `n` each part gets: its share rounded down, and what is left to the largest remainders.
std::vector<std::size_t> counts(std::size_t n, const std::vector<SplitPart>& parts) {
  std::set<std::string> names;
  double sum = 0;
  for (const auto& part : parts) {
    if (!(part.share > 0) || !std::isfinite(part.share)) {
      throw Error::mismatch(ErrorCode::options, "split \"" + part.name + '"', "a share above 0",
                            std::to_string(part.share));
    }
    if (!names.insert(part.name).second) throw Error(ErrorCode::options, "split: \"" + part.name + "\" is there twice");
    sum += part.share;
  }
  if (parts.empty()) throw Error(ErrorCode::options, "split: expected at least one part, found none");
  std::vector<std::size_t> result(parts.size()), order(parts.size());
  std::vector<double> remainder(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const double exact = double(n) * parts[i].share / sum;
    result[i] = std::size_t(std::floor(exact + 1e-9));
    remainder[i] = exact - double(result[i]);
  }
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](auto a, auto b) { return remainder[a] > remainder[b]; });
  auto left = n - std::accumulate(result.begin(), result.end(), std::size_t{0});
  for (std::size_t i = 0; left > 0; ++i, --left) ++result[order[i]];
  return result;
}

std::string quoted(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n \t") == std::string::npos) return cell;
  std::string text = "\"";
  for (const char c : cell) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + '"';
}

/// "study,patient,split" of each, sorted.
std::vector<std::string> lines(const std::vector<StudyEntry>& studies) {
  std::vector<std::string> result;
  for (const auto& entry : studies) {
    result.push_back(quoted(entry.study) + ',' + quoted(entry.patient) + ',' + quoted(entry.split));
  }
  std::ranges::sort(result);
  return result;
}

}  // namespace

std::map<std::string, std::string> split_patients(const std::set<std::string>& patients,
                                                  const std::vector<SplitPart>& parts, std::uint64_t seed) {
  std::vector<std::pair<std::string, std::string>> order;
  for (const auto& patient : patients) order.emplace_back(hash_of(std::to_string(seed) + ':' + patient), patient);
  std::ranges::sort(order);
  std::map<std::string, std::string> result;
  std::size_t at = 0;
  const auto sizes = counts(patients.size(), parts);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    for (const auto end = at + sizes[i]; at < end; ++at) result[order[at].second] = parts[i].name;
  }
  return result;
}

std::vector<SplitPart> folds(int k) {
  if (k < 2) throw Error::mismatch(ErrorCode::options, "folds", "2 or more", std::to_string(k));
  std::vector<SplitPart> parts;
  for (int fold = 0; fold < k; ++fold) parts.push_back({std::to_string(fold), 1});
  return parts;
}

void assign_splits(std::vector<StudyEntry>& studies, const std::map<std::string, std::string>& by_patient) {
  for (auto& entry : studies) {
    const auto found = by_patient.find(entry.patient);
    if (found == by_patient.end()) {
      throw Error(ErrorCode::options, entry.source + ": patient " + entry.patient + " is in no split");
    }
    if (!entry.split.empty() && entry.split != found->second) {
      throw Error::mismatch(ErrorCode::options, entry.source + ": split of patient " + entry.patient, found->second,
                            entry.split);
    }
    entry.split = found->second;
  }
}

void assign_splits(std::vector<StudyEntry>& studies, const std::vector<SplitPart>& parts, std::uint64_t seed) {
  std::map<std::string, std::string> by_patient;
  std::map<std::string, const StudyEntry*> sayers;
  std::set<std::string> open;
  for (const auto& entry : studies) {
    if (entry.split.empty()) {
      open.insert(entry.patient);
      continue;
    }
    const auto [sayer, first] = sayers.emplace(entry.patient, &entry);
    if (!first && sayer->second->split != entry.split) {
      throw Error(ErrorCode::options, entry.source + ": patient " + entry.patient + " is in split " + entry.split +
                                          ", and in " + sayer->second->split + " by " + sayer->second->source);
    }
    by_patient[entry.patient] = entry.split;
  }
  std::erase_if(open, [&](const auto& patient) { return by_patient.contains(patient); });
  by_patient.merge(split_patients(open, parts, seed));
  assign_splits(studies, by_patient);
}

void assign_splits(std::vector<Dataset>& sets, const std::vector<SplitPart>& parts, std::uint64_t seed) {
  std::vector<StudyEntry> all;
  for (auto& set : sets) std::ranges::move(set.studies, std::back_inserter(all));
  assign_splits(all, parts, seed);
  auto next = all.begin();
  for (auto& set : sets) {
    for (auto& study : set.studies) study = std::move(*next++);
  }
}

Fold parse_fold(const std::string& text) {
  Fold fold;
  const auto* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, fold.number);
  bool good = first.ec == std::errc() && first.ptr != end && *first.ptr == '/';
  if (good) {
    const auto second = std::from_chars(first.ptr + 1, end, fold.of);
    good = second.ec == std::errc() && second.ptr == end && fold.of >= 2 && fold.number >= 1 && fold.number <= fold.of;
  }
  if (!good) throw Error::mismatch(ErrorCode::options, "fold", "K/N, K from 1 to N and N 2 or more, as in 2/5", text);
  return fold;
}

void assign_fold(std::vector<Dataset>& sets, const Fold& fold, const std::string& held_out, std::uint64_t seed) {
  const auto apart = [&](const StudyEntry& entry) {
    return !entry.split.empty() && entry.split != "train" && entry.split != held_out;
  };
  std::set<std::string> patients;
  for (const auto& set : sets) {
    for (const auto& entry : set.studies) {
      if (!apart(entry)) patients.insert(entry.patient);
    }
  }
  if (patients.size() < std::size_t(fold.of)) {
    throw Error::mismatch(ErrorCode::options, "fold: patients to deal out", std::to_string(fold.of) + " or more",
                          std::to_string(patients.size()));
  }
  const auto dealt = split_patients(patients, folds(fold.of), seed);
  const auto chosen = std::to_string(fold.number - 1);
  for (auto& set : sets) {
    for (auto& entry : set.studies) {
      if (!apart(entry)) {
        entry.split = dealt.at(entry.patient) == chosen ? held_out : "train";
      } else if (patients.contains(entry.patient)) {
        throw Error(ErrorCode::options, entry.source + ": patient " + entry.patient + " is in split " + entry.split +
                                            ", and among those that are dealt into folds");
      }
    }
  }
}

std::string split_hash(const std::vector<StudyEntry>& studies) {
  std::string text;
  for (const auto& line : lines(studies)) text += line + '\n';
  return hash_of(text);
}

void write_split(const std::filesystem::path& csv, const std::vector<StudyEntry>& studies) {
  std::ofstream file(csv, std::ios::binary);
  file << "study,patient,split\n";
  for (const auto& line : lines(studies)) file << line << '\n';
  file.close();
  if (!file) throw Error(ErrorCode::io, csv.string() + ": cannot be written");
}

std::map<std::string, std::string> read_split(const std::filesystem::path& csv) {
  const auto table = evaluate::read_csv(csv);
  const auto patient = table.find("patient"), split = table.find("split");
  if (!patient || !split) {
    throw Error(ErrorCode::io, table.name + ", line 1: expected columns \"patient\" and \"split\"");
  }
  std::map<std::string, std::string> result;
  for (const auto& row : table.rows) {
    if (row.cells[*split].empty()) throw Error::mismatch(ErrorCode::io, table.place(row, *split), "a name", "nothing");
    const auto [known, first] = result.emplace(row.cells[*patient], row.cells[*split]);
    if (!first && known->second != row.cells[*split]) {
      throw Error::mismatch(ErrorCode::io, table.place(row, *split),
                            known->second + ", as on a line before of patient " + known->first, row.cells[*split]);
    }
  }
  return result;
}

}  // namespace ichdet::train
