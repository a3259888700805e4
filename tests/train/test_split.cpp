#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "ichdet/core/error.hpp"
#include "ichdet/train/split.hpp"
#include "io/synthetic.hpp"

using namespace ichdet;
using namespace ichdet::train;

namespace {

std::string patient_name(int number) { return std::string("p").append(std::to_string(number)); }

std::vector<StudyEntry> some_studies(int patients) {
  std::vector<StudyEntry> studies;
  for (int p = 0; p < patients; ++p) {
    for (int s = 0; s <= p % 3; ++s) {
      StudyEntry entry;
      entry.patient = patient_name(p);
      entry.study = entry.patient + " s" + std::to_string(s);
      entry.source = "line " + std::to_string(studies.size());
      studies.push_back(entry);
    }
  }
  return studies;
}

std::set<std::string> patients_in(const std::vector<StudyEntry>& studies, const std::string& split) {
  std::set<std::string> result;
  for (const auto& entry : studies) {
    if (entry.split == split) result.insert(entry.patient);
  }
  return result;
}

const std::vector<SplitPart> parts{{"train", 0.9}, {"validation", 0.05}, {"test", 0.05}};

}  // namespace

TEST_CASE("no patient is in two splits, whatever the seed") {
  std::set<std::string> hashes;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    auto studies = some_studies(60);
    assign_splits(studies, parts, seed);
    const auto train = patients_in(studies, "train"), validation = patients_in(studies, "validation"),
               test = patients_in(studies, "test");
    CHECK(train.size() == 54);
    CHECK(validation.size() == 3);
    CHECK(test.size() == 3);
    std::set<std::string> all = train;
    all.insert(validation.begin(), validation.end());
    all.insert(test.begin(), test.end());
    CHECK(all.size() == 60);  // so that none is in two
    hashes.insert(split_hash(studies));
    std::ranges::reverse(studies);
    for (auto& entry : studies) entry.split.clear();
    assign_splits(studies, parts, seed);
    CHECK(hashes.contains(split_hash(studies)));  // order does not matter
  }
  CHECK(hashes.size() == 50);
}

TEST_CASE("a new patient moves at most one other across each border") {
  std::set<std::string> patients;
  for (int i = 0; i < 200; ++i) patients.insert(patient_name(i));
  for (int i = 200; i < 240; ++i) {
    const auto before = split_patients(patients, parts, 7);
    patients.insert(patient_name(i));
    const auto after = split_patients(patients, parts, 7);
    const auto moved =
        std::ranges::count_if(before, [&](const auto& old) { return after.at(old.first) != old.second; });
    CHECK(moved <= 2);
  }
}

TEST_CASE("shares are rounded by the largest remainder; folds are as equal as can be") {
  std::set<std::string> patients;
  for (int i = 0; i < 87; ++i) patients.insert(std::to_string(i));
  const auto count = [&](const std::vector<SplitPart>& wanted, const std::string& name) {
    return std::ranges::count_if(split_patients(patients, wanted, 1), [&](const auto& p) { return p.second == name; });
  };
  const std::vector<SplitPart> ours{{"train", 62}, {"select", 8}, {"validation", 17}};
  CHECK(count(ours, "train") == 62);
  CHECK(count(ours, "select") == 8);
  CHECK(count(ours, "validation") == 17);
  for (const char* fold : {"0", "1", "2", "3", "4"}) {
    CHECK(count(folds(5), fold) >= 17);
    CHECK(count(folds(5), fold) <= 18);
  }
  CHECK_THROWS_AS(folds(1), Error);
  CHECK_THROWS_AS(split_patients(patients, {}, 1), Error);
  CHECK_THROWS_AS(split_patients(patients, {{"train", 0}}, 1), Error);
  CHECK_THROWS_AS(split_patients(patients, {{"train", 1}, {"train", 1}}, 1), Error);
}

TEST_CASE("each patient is held out in one fold, and what is kept apart stays apart") {
  const auto studies = [](const std::string& name, int from, int to, const std::string& split) {
    Dataset set;
    set.name = name;
    for (int i = from; i < to; ++i) {
      StudyEntry entry;
      entry.study = name + std::to_string(i);
      entry.patient = patient_name(i);
      entry.split = split;
      set.studies.push_back(entry);
    }
    return set;
  };
  std::map<std::string, int> held;
  for (int fold = 1; fold <= 5; ++fold) {
    // Patients 0 to 9 are in two sets; 40 to 49 are kept apart.
    std::vector<Dataset> sets{studies("a", 0, 30, "train"), studies("b", 0, 10, "select"), studies("c", 30, 40, ""),
                              studies("d", 40, 50, "proof")};
    assign_fold(sets, {fold, 5}, "select", 3);
    std::map<std::string, std::string> sides;
    for (const auto& set : sets) {
      for (const auto& entry : set.studies) {
        const auto side = sides.emplace(entry.patient, entry.split).first->second;
        CHECK(side == entry.split);
        CHECK((entry.split == "proof") == (set.name == "d"));
      }
    }
    CHECK(std::ranges::count(sides, "select", [](const auto& side) { return side.second; }) == 8);
    for (const auto& [patient, side] : sides) held[patient] += side == "select";
  }
  for (int i = 0; i < 40; ++i) CHECK(held.at(patient_name(i)) == 1);

  std::vector<Dataset> mixed{studies("a", 0, 30, "train"), studies("d", 29, 31, "proof")};
  CHECK_THROWS_WITH_AS(assign_fold(mixed, {1, 5}, "select", 3), doctest::Contains("proof"), Error);
  std::vector<Dataset> few{studies("a", 0, 4, "")};
  CHECK_THROWS_AS(assign_fold(few, {1, 5}, "select", 3), Error);
  CHECK(parse_fold("2/5").number == 2);
  CHECK(parse_fold("2/5").of == 5);
  for (const char* wrong : {"", "2", "0/5", "6/5", "1/1", "2/5/7", "a/5", "2/ 5"}) {
    CHECK_THROWS_AS(parse_fold(wrong), Error);
  }
}

TEST_CASE("patients are dealt out by SHA-256 of seed and name") {
  // printf 4:a | sha256sum, and so on: e825... of a, b85a... of b, eb3f... of c.
  const auto dealt = split_patients({"a", "b", "c"}, {{"x", 1}, {"y", 1}, {"z", 1}}, 4);
  CHECK(dealt.at("a") == "y");
  CHECK(dealt.at("b") == "x");
  CHECK(dealt.at("c") == "z");
}

TEST_CASE("the committed lists are what tools/make_manifests.py's shares and seed give") {
  const std::filesystem::path lists = std::filesystem::path(ICHDET_SOURCE_DIR) / "recipes" / "splits";
  const auto check = [&](const char* name, const std::vector<SplitPart>& shares) {
    const auto listed = read_split(lists / name);
    std::set<std::string> patients;
    for (const auto& [patient, split] : listed) patients.insert(patient);
    CHECK(listed == split_patients(patients, shares, 7));
  };
  check("phe_sich.csv", {{"train", 62}, {"select", 8}, {"validation", 17}});
  check("rsna_plain.csv", {{"train", 68}, {"select", 15}, {"proof", 40}});
}

TEST_CASE("a split that is said wins, holds for all of the patient's studies, and may not contradict itself") {
  auto studies = some_studies(20);
  studies[4].split = "mine";  // p2's second study of three
  assign_splits(studies, parts, 3);
  CHECK(studies[3].split == "mine");
  CHECK(studies[5].split == "mine");
  CHECK(patients_in(studies, "mine").size() == 1);
  studies[5].split = "train";
  for (auto* other : {&studies[0], &studies[3]}) other->split.clear();
  CHECK_THROWS_WITH_AS(assign_splits(studies, parts, 3), doctest::Contains("p2"), Error);
}

TEST_CASE("splits are written and read back") {
  const test::TemporaryFolder folder;
  const auto csv = folder.path() / "split.csv";
  auto studies = some_studies(20);
  studies[0].patient = studies[0].study = "odd, \"name\"";
  assign_splits(studies, parts, 5);
  write_split(csv, studies);
  auto again = studies;
  for (auto& entry : again) entry.split.clear();
  assign_splits(again, read_split(csv));
  CHECK(split_hash(again) == split_hash(studies));

  again[0].patient = "someone else";
  CHECK_THROWS_WITH_AS(assign_splits(again, read_split(csv)), doctest::Contains("someone else"), Error);
  again = studies;
  again[0].split = "elsewhere";
  CHECK_THROWS_AS(assign_splits(again, read_split(csv)), Error);
  std::ofstream(csv, std::ios::app) << "x,p1,one\ny,p1,two\n";
  CHECK_THROWS_WITH_AS(read_split(csv), doctest::Contains("p1"), Error);
}
