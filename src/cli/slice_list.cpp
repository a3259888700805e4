#include "slice_list.hpp"

#include <algorithm>
#include <charconv>

#include "ichdet/core/error.hpp"

namespace ichdet::cli {

std::vector<std::int64_t> parse_slices(std::string_view text, std::int64_t count) {
  std::vector<std::int64_t> slices;
  if (text == "all") {
    for (std::int64_t i = 0; i < count; ++i) slices.push_back(i);
    return slices;
  }
  const auto refuse = [&] {
    return Error::mismatch(ErrorCode::options, "--slices",
                           "all, or indices from 0 to " + std::to_string(count - 1) + " as in 3,7-12",
                           std::string(text));
  };
  for (std::string_view rest = text; !rest.empty();) {
    const auto part = rest.substr(0, rest.find(','));
    if (part.size() + 1 == rest.size()) throw refuse();
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    std::int64_t ends[2];
    const auto dash = part.find('-');
    const std::string_view numbers[2] = {part.substr(0, dash), dash == part.npos ? part : part.substr(dash + 1)};
    for (int i = 0; i < 2; ++i) {
      const auto* end = numbers[i].data() + numbers[i].size();
      const auto read = std::from_chars(numbers[i].data(), end, ends[i]);
      if (read.ec != std::errc() || read.ptr != end) throw refuse();
    }
    if (ends[0] < 0 || ends[1] >= count || ends[0] > ends[1]) throw refuse();
    for (auto i = ends[0]; i <= ends[1]; ++i) slices.push_back(i);
  }
  if (slices.empty()) throw refuse();
  return slices;
}

}  // namespace ichdet::cli
