#pragma once

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <system_error>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/csv.hpp"

namespace ichdet::evaluate {

namespace detail {

ICHDET_INLINE std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// The cells of one record, which may span several lines; `at` and `line` are moved behind it.
ICHDET_INLINE std::vector<std::string> read_record(std::string_view text, std::size_t& at, std::int64_t& line,
                                                   const std::string& name) {
  std::vector<std::string> cells;
  const auto first_line = line;
  for (bool more = true; more;) {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
    std::string cell;
    if (at < text.size() && text[at] == '"') {
      for (++at;; ++at) {
        if (at >= text.size()) {
          throw Error(ErrorCode::io, name + ", line " + std::to_string(first_line) + ": a quote is not closed");
        }
        if (text[at] == '\n') ++line;
        if (text[at] != '"') {
          cell += text[at];
        } else if (at + 1 < text.size() && text[at + 1] == '"') {
          cell += text[at++];
        } else {
          break;
        }
      }
      const auto end = std::min(text.find_first_of(",\r\n", ++at), text.size());
      if (!trimmed(text.substr(at, end - at)).empty()) {
        throw Error::mismatch(ErrorCode::io, name + ", line " + std::to_string(line),
                              "a comma behind the closing quote", '"' + std::string(text.substr(at, end - at)) + '"');
      }
      at = end;
    } else {
      const auto end = std::min(text.find_first_of(",\r\n", at), text.size());
      cell = trimmed(text.substr(at, end - at));
      at = end;
    }
    cells.push_back(std::move(cell));
    more = at < text.size() && text[at] == ',';
    if (more) ++at;
  }
  if (at < text.size() && text[at] == '\r') ++at;
  if (at < text.size() && text[at] == '\n') ++at;
  ++line;
  return cells;
}

/// How many bytes the character at the front of `text` has (RFC 3629); 0 where it is none.
ICHDET_INLINE std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) -> int { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
  const int first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool no_character = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
  return overlong || no_character ? 0 : length;
}

ICHDET_INLINE void check_utf8(std::string_view text, const std::string& name) {
  std::int64_t line = 1;
  for (std::size_t at = 0; at < text.size();) {
    const auto length = utf8_length(text.substr(at));
    if (length == 0) {
      char byte[8];
      std::snprintf(byte, sizeof byte, "0x%02X", unsigned(static_cast<unsigned char>(text[at])));
      throw Error::mismatch(ErrorCode::io, name + ", line " + std::to_string(line), "UTF-8",
                            std::string("the byte ") + byte);
    }
    line += text[at] == '\n' || (text[at] == '\r' && !text.substr(at + 1).starts_with('\n'));
    at += length;
  }
}

ICHDET_INLINE void check_header(const CsvTable& table) {
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const auto& column = table.columns[i];
    if (column.empty()) {
      throw Error(ErrorCode::io, table.name + ", line 1: column " + std::to_string(i + 1) + " has no name");
    }
    if (!seen.insert(column).second)
      throw Error(ErrorCode::io, table.name + ", line 1: two columns \"" + column + "\"");
  }
  if (table.columns.size() == 1 && table.columns[0].find_first_of(";\t") != std::string::npos) {
    throw Error::mismatch(ErrorCode::io, table.name + ", line 1", "columns separated by commas",
                          '"' + table.columns[0] + '"');
  }
}

}  // namespace detail

ICHDET_INLINE std::optional<std::size_t> CsvTable::find(std::string_view column) const {
  const auto found = std::find(columns.begin(), columns.end(), column);
  if (found == columns.end()) return std::nullopt;
  return std::size_t(found - columns.begin());
}

ICHDET_INLINE std::string CsvTable::place(const Row& row, std::size_t column) const {
  return name + ", line " + std::to_string(row.line) + ", column \"" + columns[column] + '"';
}

ICHDET_INLINE CsvTable parse_csv(std::string_view text, const std::string& name) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  detail::check_utf8(text, name);
  CsvTable table;
  table.name = name;
  std::int64_t line = 1;
  for (std::size_t at = 0; at < text.size();) {
    const auto first_line = line;
    auto cells = detail::read_record(text, at, line, name);
    if (cells.size() == 1 && cells[0].empty()) continue;
    if (table.columns.empty()) {
      table.columns = std::move(cells);
      detail::check_header(table);
      continue;
    }
    if (cells.size() != table.columns.size()) {
      throw Error::mismatch(ErrorCode::io, name + ", line " + std::to_string(first_line),
                            std::to_string(table.columns.size()) + " cells, as the header has",
                            std::to_string(cells.size()));
    }
    table.rows.push_back({first_line, std::move(cells)});
  }
  if (table.columns.empty()) throw Error::mismatch(ErrorCode::io, name, "a line of column names", "an empty file");
  return table;
}

ICHDET_INLINE CsvTable read_csv(const std::filesystem::path& path) {
  std::error_code ignored;  // what cannot be looked up cannot be opened either
  if (std::filesystem::is_directory(path, ignored))
    throw Error::mismatch(ErrorCode::io, path.string(), "a CSV file", "a folder");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file.is_open() || file.bad()) {
    throw Error(ErrorCode::io, path.string() + ": cannot be read: " + std::strerror(errno));
  }
  return parse_csv(text, path.string());
}

ICHDET_INLINE double number_in(const CsvTable& table, const CsvTable::Row& row, std::size_t column, double low,
                               double high, std::string_view expected) {
  const auto& cell = row.cells[column];
  double value = 0;
  const auto* end = cell.data() + cell.size();
  const auto read = std::from_chars(cell.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end || !(value >= low && value <= high)) {
    throw Error::mismatch(ErrorCode::io, table.place(row, column), expected, '"' + cell + '"');
  }
  return value;
}

}  // namespace ichdet::evaluate
