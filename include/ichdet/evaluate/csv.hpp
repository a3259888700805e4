#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ichdet/core/config.hpp"

namespace ichdet::evaluate {

/// A table of text cells under named columns.
struct CsvTable {
  struct Row {
    std::int64_t line = 0;  ///< in the file, from 1
    std::vector<std::string> cells;
  };
  std::string name;  ///< of the file, for messages
  std::vector<std::string> columns;
  std::vector<Row> rows;

  std::optional<std::size_t> find(std::string_view column) const;
  /// "predictions.csv, line 7, column "probability"".
  std::string place(const Row& row, std::size_t column) const;
};

/// Comma-separated text with a header line (RFC 4180: quoted cells, doubled quotes, any line ending), UTF-8 with or
/// without a byte order mark. Blanks around unquoted cells and empty lines are passed over. Throws Error(io) that names
/// the file and the line: without a header, where a column has no name or one twice, where a line has more or fewer
/// cells than the header, where a quote is not closed, and where the text is not UTF-8.
CsvTable parse_csv(std::string_view text, const std::string& name);

/// Throws Error(io) where the file cannot be read, or as above.
CsvTable read_csv(const std::filesystem::path& path);

/// A cell as a number. Throws Error(io), which names its place, unless it is one in [low, high]; `expected` says so.
double number_in(const CsvTable& table, const CsvTable::Row& row, std::size_t column, double low, double high,
                 std::string_view expected);

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/csv_inl.hpp"
#endif
