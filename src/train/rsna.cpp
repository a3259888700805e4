#include "ichdet/train/rsna.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <unordered_map>

#include "blood_labels.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/io/series.hpp"

namespace ichdet::train {
namespace {

namespace fs = std::filesystem;

/// What a slice's six lines say: 0, 1, or -1 where there is no line.
struct SliceLines {
  std::array<std::int8_t, blood_labels.size()> values{-1, -1, -1, -1, -1, -1};
  std::array<std::int64_t, blood_labels.size()> lines{};
  bool has_file = false;
};

using Table = std::unordered_map<std::string, SliceLines>;

/// The 4.5 million lines are read one by one: as a CsvTable they would take a gigabyte.
Table read_labels(const fs::path& csv) {
  std::ifstream file(csv, std::ios::binary);
  if (!file) throw Error(ErrorCode::io, csv.string() + ": cannot be opened for reading");
  const auto refuse = [&](std::int64_t line, std::string_view expected, const std::string& found) {
    throw Error::mismatch(ErrorCode::io, csv.string() + ", line " + std::to_string(line), expected, '"' + found + '"');
  };
  Table table;
  std::string text;
  for (std::int64_t line = 1; std::getline(file, text); ++line) {
    if (text.ends_with('\r')) text.pop_back();
    if (line == 1) {
      if (text != "ID,Label") refuse(line, "the columns ID,Label", text);
      continue;
    }
    if (text.empty()) continue;
    const auto comma = text.find(',');
    const auto underscore = text.rfind('_', comma);
    const auto label = comma == text.npos ? std::string() : text.substr(comma + 1);
    if (underscore == text.npos || comma == text.npos || (label != "0" && label != "1")) {
      refuse(line, "ID_<slice>_<type>,0 or 1", text);
    }
    const auto type = std::string_view(text).substr(underscore + 1, comma - underscore - 1);
    const auto known = std::ranges::find(blood_labels, type);
    if (known == blood_labels.end()) refuse(line, "a type of blood, or any", std::string(type));
    const auto index = std::size_t(known - blood_labels.begin());
    auto& slice = table[text.substr(0, underscore)];
    const auto value = std::int8_t(label == "1");
    if (slice.values[index] >= 0 && slice.values[index] != value) {
      refuse(line, std::to_string(slice.values[index]) + ", as on line " + std::to_string(slice.lines[index]), text);
    }
    slice.values[index] = value;
    slice.lines[index] = line;
  }
  if (file.bad()) throw Error(ErrorCode::io, csv.string() + ": could not be read to its end");
  if (table.empty()) throw Error::mismatch(ErrorCode::io, csv.string(), "labels", "none");
  return table;
}

LabelValues values_of(const SliceLines& slice, const std::string& place) {
  LabelValues values;
  for (std::size_t i = 0; i < blood_labels.size(); ++i) {
    if (slice.values[i] >= 0) values[std::string(blood_labels[i])] = slice.values[i];
  }
  complete(values, place);
  return values;
}

StudyEntry entry_of(const io::SeriesInfo& series, Table& table, const Dataset& dataset, const std::string& csv) {
  StudyEntry entry;
  entry.study = series.identity.series_instance_uid;
  if (series.part > 0) entry.study += " part " + std::to_string(series.part);
  entry.patient = series.identity.patient_id.empty() ? entry.study : series.identity.patient_id;
  entry.group = dataset.name;
  entry.source = csv + ", series " + entry.study;
  entry.slices = std::int64_t(series.slices.size());
  entry.labels = in_order({}, dataset.label_names);
  for (std::int64_t k = 0; k < entry.slices; ++k) {
    const auto& file = series.slices[std::size_t(k)].file;
    entry.files.push_back(file);
    const auto found = table.find(file.stem().string());
    if (found == table.end()) continue;
    found->second.has_file = true;
    entry.slice_labels[k] = in_order(values_of(found->second, csv + ", slice " + found->first), dataset.label_names);
  }
  return entry;
}

}  // namespace

Dataset read_rsna(const fs::path& csv, const fs::path& folder, const std::vector<std::string>& label_names, int threads,
                  const Progress& progress) {
  auto table = read_labels(csv);
  const auto inventory = io::scan({folder}, {.threads = threads, .limits = {}}, progress);
  Dataset dataset;
  dataset.name = csv.stem().string();
  dataset.label_names = with_any(label_names);
  std::size_t unreadable = 0;
  for (const auto& series : inventory.series) {
    if (series.problems.empty()) {
      dataset.studies.push_back(entry_of(series, table, dataset, csv.string()));
    } else if (++unreadable == 1) {
      dataset.notes.push_back("The first series that was left out: " + io::describe(series) + ": " +
                              series.problems.front());
    }
  }
  std::size_t without_label = 0;
  for (const auto& entry : dataset.studies) without_label += entry.files.size() - entry.slice_labels.size();
  const auto without_file =
      std::size_t(std::ranges::count_if(table, [](const auto& slice) { return !slice.second.has_file; }));
  if (without_file == table.size()) {
    throw Error::mismatch(ErrorCode::io, csv.string(), "slices whose files are in " + folder.string(), "none");
  }
  const auto note = [&](std::size_t count, const std::string& what) {
    if (count > 0) dataset.notes.push_back(std::to_string(count) + ' ' + what);
  };
  note(unreadable, "series cannot be read and were left out.");
  note(inventory.set_aside.size(), "files are no slices of a scan and were left out.");
  note(without_label, "slices have a file and no label.");
  note(without_file, "labelled slices have no file that can be read.");
  return dataset;
}

}  // namespace ichdet::train
