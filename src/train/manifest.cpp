#include "ichdet/train/manifest.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "blood_labels.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/csv.hpp"

namespace ichdet::train {
namespace {

namespace fs = std::filesystem;
using evaluate::CsvTable;

constexpr double most_slices = 100'000;

/// The columns of a manifest and how their cells are read.
class Reader {
 public:
  Reader(CsvTable table, fs::path folder, const std::vector<std::string>& names)
      : table_(std::move(table)), folder_(std::move(folder)), names_(with_any(names)) {
    std::set<std::string> labels(blood_labels.begin(), blood_labels.end());
    for (const auto& name : names) labels.insert(label_key(name));
    for (std::size_t i = 0; i < table_.columns.size(); ++i) {
      const auto key = label_key(table_.columns[i]);
      if (std::ranges::find(own_columns, key) != own_columns.end()) continue;
      if (!labels.contains(key)) {
        unread_.push_back(table_.columns[i]);
      } else if (const auto [other, first] = label_columns_.emplace(key, i); !first) {
        throw Error(ErrorCode::io, table_.name + ", line 1: columns \"" + table_.columns[other->second] + "\" and \"" +
                                       table_.columns[i] + "\" mean the same");
      }
    }
    for (const char* needed : {"study", "scan"}) {
      if (table_.find(needed)) continue;
      throw Error(ErrorCode::io, table_.name + ", line 1: there is no column \"" + needed + '"');
    }
  }

  Dataset read() {
    Dataset dataset;
    dataset.name = fs::path(table_.name).stem().string();
    dataset.label_names = names_;
    for (const auto& row : table_.rows) read_line(row, dataset.studies);
    for (auto& entry : dataset.studies) {
      if (entry.files.empty())
        throw Error(ErrorCode::io, entry.source + ": no line of study " + entry.study + " has a scan");
      if (entry.patient.empty()) entry.patient = entry.study;
      if (entry.labels.empty()) entry.labels = in_order({}, names_);
      entry.group = dataset.name;
    }
    if (!unread_.empty()) {
      std::string note = table_.name + ": these columns were not read:";
      for (const auto& name : unread_) note += ' ' + name;
      dataset.notes.push_back(note + '.');
    }
    return dataset;
  }

 private:
  static constexpr std::array<std::string_view, 6> own_columns{"study", "patient", "scan", "slice", "mask", "split"};

  /// Empty where there is no such column or nothing in the cell.
  std::string cell(const CsvTable::Row& row, std::string_view column) const {
    const auto index = table_.find(column);
    return index ? row.cells[*index] : std::string();
  }

  std::string place(const CsvTable::Row& row, std::string_view column) const {
    return table_.place(row, *table_.find(column));
  }

  void read_line(const CsvTable::Row& row, std::vector<StudyEntry>& studies) {
    const auto study = cell(row, "study");
    if (study.empty()) throw Error::mismatch(ErrorCode::io, place(row, "study"), "a name", "nothing");
    const auto [known, is_new] = index_.emplace(study, studies.size());
    if (is_new) {
      studies.emplace_back();
      studies.back().study = study;
      studies.back().source = table_.name + ", line " + std::to_string(row.line);
    }
    auto& entry = studies[known->second];
    agree(entry.patient, row, "patient");
    agree(entry.split, row, "split");
    if (const auto scan = file(row, "scan"); !scan.empty()) {
      if (entry.files.empty()) entry.files = {scan};
      expect_same(entry.files.front().string(), scan.string(), row, "scan");
    }
    if (const auto mask = file(row, "mask"); !mask.empty()) {
      if (entry.mask.empty()) entry.mask = mask;
      expect_same(entry.mask.string(), mask.string(), row, "mask");
    }
    read_labels(row, entry);
  }

  void read_labels(const CsvTable::Row& row, StudyEntry& entry) const {
    LabelValues values;
    for (const auto& [key, column] : label_columns_) {
      if (row.cells[column].empty()) continue;
      const double value = evaluate::number_in(table_, row, column, 0, 1, "0, 1 or nothing");
      if (value != 0 && value != 1) {
        throw Error::mismatch(ErrorCode::io, table_.place(row, column), "0, 1 or nothing", row.cells[column]);
      }
      values[key] = float(value);
    }
    const auto line = table_.name + ", line " + std::to_string(row.line);
    complete(values, line);
    const auto labels = in_order(values, names_);
    if (cell(row, "slice").empty()) {
      if (!entry.labels.empty())
        throw Error(ErrorCode::io, line + ": a second line for the whole of study " + entry.study);
      entry.labels = labels;
      return;
    }
    const double slice = evaluate::number_in(table_, row, *table_.find("slice"), 0, most_slices, "a slice's index");
    if (slice != double(std::int64_t(slice))) {
      throw Error::mismatch(ErrorCode::io, place(row, "slice"), "a whole number", cell(row, "slice"));
    }
    if (!entry.slice_labels.emplace(std::int64_t(slice), labels).second) {
      throw Error(ErrorCode::io,
                  place(row, "slice") + ": a second line for slice " + cell(row, "slice") + " of study " + entry.study);
    }
  }

  /// A file that exists, or nothing where the cell says nothing.
  fs::path file(const CsvTable::Row& row, std::string_view column) const {
    const auto name = cell(row, column);
    if (name.empty()) return {};
    const auto path = (folder_ / name).lexically_normal();
    if (!fs::exists(path)) {
      throw Error::mismatch(ErrorCode::io, place(row, column), "a file or folder that is there", path.string());
    }
    return path;
  }

  void agree(std::string& known, const CsvTable::Row& row, std::string_view column) const {
    const auto said = cell(row, column);
    if (said.empty()) return;
    if (known.empty()) known = said;
    expect_same(known, said, row, column);
  }

  void expect_same(const std::string& known, const std::string& said, const CsvTable::Row& row,
                   std::string_view column) const {
    if (known == said) return;
    throw Error::mismatch(ErrorCode::io, place(row, column), known + ", as on a line before of the same study", said);
  }

  CsvTable table_;
  fs::path folder_;
  std::vector<std::string> names_;
  std::map<std::string, std::size_t> label_columns_;
  std::vector<std::string> unread_;
  std::map<std::string, std::size_t> index_;  ///< of studies, by name
};

}  // namespace

Dataset read_manifest(const fs::path& csv, const std::vector<std::string>& label_names) {
  return Reader(evaluate::read_csv(csv), csv.parent_path(), label_names).read();
}

}  // namespace ichdet::train
