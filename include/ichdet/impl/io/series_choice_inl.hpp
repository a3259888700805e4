#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>
#include <utility>

#include "ichdet/core/error.hpp"
#include "ichdet/impl/io/series_detail.hpp"

namespace ichdet::io {
namespace detail {

/// The words of a text: letters and digits, in upper case.
ICHDET_INLINE std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      words.back().push_back(char(std::toupper(static_cast<unsigned char>(c))));
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  return words;
}

ICHDET_INLINE bool any_word_starts(const std::vector<std::string>& words,
                                   std::initializer_list<std::string_view> starts) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return std::any_of(starts.begin(), starts.end(), [&](auto start) { return word.starts_with(start); });
  });
}

/// 2 soft, 1 unknown, 0 sharp. Names as the makers give them: GE and Philips by word and letter, Siemens by number
/// (H31s, Hr40, J45: below 50 is soft), Canon FC (FC30 to FC59 and from FC80 sharp).
ICHDET_INLINE int kernel_softness(const SeriesInfo& series) {
  const std::string& kernel = series.identity.convolution_kernel;
  const auto words = words_of(kernel);
  const auto described = words_of(series.identity.series_description);
  if (any_word_starts(words, {"BONE", "EDGE", "LUNG", "SHARP", "ULTRA", "DETAIL"})) return 0;
  if (any_word_starts(described, {"BONE", "KNOCHEN", "LUNG", "SHARP"})) return 0;
  if (any_word_starts(words, {"STAND", "STD", "STND", "SOFT", "BRAIN", "SMOOTH"})) return 2;
  const std::string& first = words.front();
  if (first == "UA" || first == "UB" || first == "A" || first == "B") return 2;
  if (first == "D" || first == "E" || first == "L" || first == "YC" || first == "YD") return 0;
  std::size_t digit = 0;
  while (digit < first.size() && std::isdigit(static_cast<unsigned char>(first[digit])) == 0) ++digit;
  if (digit == 0 || digit >= first.size() || digit > 3) return 1;
  int number = 0;
  for (std::size_t i = digit; i < first.size() && i < digit + 3; ++i) {
    if (std::isdigit(static_cast<unsigned char>(first[i])) == 0) break;
    number = number * 10 + (first[i] - '0');
  }
  const std::string letters = first.substr(0, digit);
  if (letters == "FC") return (number >= 30 && number < 60) || number >= 80 ? 0 : 2;
  if (letters.starts_with("H") || letters.starts_with("J") || letters.starts_with("Q") || letters.starts_with("B")) {
    return number < 50 ? 2 : 0;
  }
  return 1;
}

/// 2 the head, 1 unknown, 0 another part of the body.
ICHDET_INLINE int head_likeness(const SeriesInfo& series) {
  const auto words = words_of(series.body_part + ' ' + series.identity.series_description + ' ' +
                              series.study_description + ' ' + series.protocol_name);
  if (any_word_starts(words, {"HEAD", "BRAIN", "SKULL", "NEURO", "CRAN", "CEREBR", "KOPF", "TETE", "ENCEPH"})) return 2;
  if (any_word_starts(words, {"NECK", "CHEST", "THORA", "LUNG", "ABD", "PELV", "SPINE", "CSPINE", "LSPINE", "HEART",
                              "CARD", "LIVER", "KNEE", "FOOT", "HIP", "LEG", "ARM", "EXTREM", "SHOULDER"})) {
    return 0;
  }
  return 1;
}

ICHDET_INLINE bool near_axial(const SeriesInfo& series) {
  return !series.slices.empty() && std::abs(series.slices.front().plane.normal().z()) > 0.7071;
}

/// One entry for each rule in choose_head_series, larger is better.
ICHDET_INLINE std::array<std::int64_t, 7> merits(const SeriesInfo& series) {
  const auto type = words_of(series.image_type);
  const bool reformatted = any_word_starts(type, {"MPR", "REFORMAT", "PROJECTION", "MIP", "CSA"});
  return {series.contrast ? 0 : 1,
          head_likeness(series),
          series.extent_mm >= 90 ? 2 : series.extent_mm >= 40 ? 1 : 0,
          kernel_softness(series),
          reformatted ? 0 : 1,
          series.missing_slices() == 0 ? 1 : 0,
          std::int64_t(series.slices.size())};
}

/// What was there, on one line.
ICHDET_INLINE std::string listing(const Inventory& inventory) {
  std::string text = inventory.series.empty() ? "nothing" : "";
  const auto next = [&] { text += text.empty() ? "" : "; "; };
  constexpr std::size_t shown = 8;
  for (std::size_t i = 0; i < inventory.series.size(); ++i) {
    const auto& series = inventory.series[i];
    if (i == shown) {
      text += "; and " + std::to_string(inventory.series.size() - shown) + " more series";
      break;
    }
    next();
    text += describe(series) + ", UID " + series.identity.series_instance_uid;
    if (!series.problems.empty()) {
      text += ": " + series.problems.front();
    } else if (!near_axial(series)) {
      text += ": not axial";
    }
  }
  std::array<int, 8> counts{};
  for (const auto& aside : inventory.set_aside) ++counts[std::size_t(aside.rule)];
  for (std::size_t rule = 0; rule < counts.size(); ++rule) {
    if (counts[rule] > 0) {
      next();
      text += "set aside as " + std::string(to_string(SetAsideRule(rule))) + ": " + std::to_string(counts[rule]) +
              (counts[rule] == 1 ? " file" : " files");
      for (const auto& aside : inventory.set_aside) {
        if (std::size_t(aside.rule) != rule) continue;
        text += " (" + aside.file.string() + ": " + aside.detail + ")";
        break;
      }
    }
  }
  return text;
}

}  // namespace detail

ICHDET_INLINE std::string describe(const SeriesInfo& series) {
  std::string text = "series " + (series.series_number ? std::to_string(*series.series_number) : std::string("?"));
  if (series.part > 0) text += " part " + std::to_string(series.part);
  if (!series.identity.series_description.empty()) text += " '" + series.identity.series_description + "'";
  text += " (" + std::to_string(series.slices.size()) + (series.slices.size() == 1 ? " slice" : " slices");
  if (!series.identity.convolution_kernel.empty()) text += ", " + series.identity.convolution_kernel;
  return text + ")";
}

ICHDET_INLINE SeriesChoice choose_head_series(const Inventory& inventory, const SelectOptions& options) {
  SeriesChoice choice;
  std::vector<std::size_t> candidates;
  std::set<std::string> studies;
  for (std::size_t i = 0; i < inventory.series.size(); ++i) {
    const auto& series = inventory.series[i];
    const auto& id = series.identity;
    if (!options.series_uid.empty()) {
      if (id.series_instance_uid == options.series_uid) candidates.push_back(i);
      continue;
    }
    if (!options.study_uid.empty() && id.study_instance_uid != options.study_uid) continue;
    studies.insert(id.study_instance_uid);
    if (series.problems.empty() && detail::near_axial(series)) candidates.push_back(i);
  }
  if (candidates.empty() && options.series_uid.empty()) {
    // A lone broken series is chosen, so that reading it tells what is wrong.
    for (std::size_t i = 0; i < inventory.series.size(); ++i) {
      if (inventory.series.size() == 1 && detail::near_axial(inventory.series[i])) candidates.push_back(i);
    }
  }
  if (candidates.empty()) {
    const std::string wanted = !options.series_uid.empty()  ? "series " + options.series_uid
                               : !options.study_uid.empty() ? "an axial CT series in study " + options.study_uid
                                                            : "an axial CT series of a head";
    throw Error(ErrorCode::dicom, inventory.name + ": expected " + wanted + ", found " + detail::listing(inventory));
  }
  if (studies.size() > 1) {
    throw Error(ErrorCode::dicom, inventory.name + ": expected one study, found " + std::to_string(studies.size()) +
                                      "; name one, or a series, by its UID: " + detail::listing(inventory));
  }
  const auto merits_of = [&](std::size_t i) { return detail::merits(inventory.series[i]); };
  std::stable_sort(candidates.begin(), candidates.end(), [&](std::size_t a, std::size_t b) {
    const auto tie = [&](std::size_t i) {
      const auto& s = inventory.series[i];
      return std::tuple(s.series_number.value_or(std::numeric_limits<std::int64_t>::max()),
                        s.identity.series_instance_uid, s.part);
    };
    const auto x = merits_of(a), y = merits_of(b);
    return x != y ? x > y : tie(a) < tie(b);
  });
  choice.index = candidates.front();
  if (candidates.size() < 2) return choice;

  static constexpr const char* rules[] = {"no contrast agent", "names the head",  "covers more of a head",
                                          "a softer kernel",   "not reformatted", "no missing slices",
                                          "more slices"};
  const auto best = merits_of(candidates[0]), next = merits_of(candidates[1]);
  const auto rule = std::size_t(std::mismatch(best.begin(), best.end(), next.begin()).first - best.begin());
  choice.assumptions.push_back(
      "Of " + std::to_string(candidates.size()) + " series, " + describe(inventory.series[choice.index]) +
      " was chosen before " + describe(inventory.series[candidates[1]]) + ": " +
      (rule < best.size() ? rules[rule] : "equal by every rule, the lower series number and UID decided") + ".");
  return choice;
}

}  // namespace ichdet::io
