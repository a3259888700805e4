#include <doctest/doctest.h>

#include <cmath>
#include <fstream>

#include "ichdet/core/error.hpp"
#include "ichdet/io/dicom_write.hpp"
#include "ichdet/train/manifest.hpp"
#include "ichdet/train/rsna.hpp"
#include "io/synthetic.hpp"

using namespace ichdet;
using namespace ichdet::train;
using ichdet::test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

void write(const fs::path& file, const std::string& text) { std::ofstream(file) << text; }

std::string message_of(const fs::path& csv, const std::string& text) {
  write(csv, text);
  try {
    read_manifest(csv, {"any"});
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::io);
    return error.what();
  }
  return "no error";
}

/// A series of one patient, its files renamed as the challenge names them.
std::vector<std::string> write_rsna_series(const fs::path& folder, const std::string& patient, std::uint64_t seed) {
  io::DicomWriteOptions options;
  options.patient_id = patient;
  options.seed = seed;
  const auto files = io::write_series(test::tilted_stack(3), folder / "part", options);
  std::vector<std::string> ids;
  for (const auto& file : files) {
    ids.push_back("ID_" + patient + file.stem().string());
    fs::rename(file, folder / (ids.back() + ".dcm"));
  }
  fs::remove_all(folder / "part");
  return ids;
}

std::string six_lines(const std::string& id, const std::string& blood) {
  std::string text;
  for (const std::string type :
       {"epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any"}) {
    const bool is = type == blood || (type == "any" && !blood.empty());
    text += id + "_" + type + (is ? ",1\n" : ",0\n");
  }
  return text;
}

}  // namespace

TEST_CASE("a manifest has a line for each study or for each slice, and labels imply others") {
  const TemporaryFolder folder;
  for (const char* name : {"a.nii.gz", "b.nii.gz", "m.nii.gz"}) write(folder.path() / name, "");
  const auto csv = folder.path() / "mine.csv";
  write(csv,
        "study,patient,scan,slice,mask,split,subdural,blood,age\n"
        "s1,p1,a.nii.gz,,m.nii.gz,train,,,60\n"
        "s2,,b.nii.gz,0,,,1,,61\n"
        "s2,,,2,,test,,0,61\n");
  const auto data = read_manifest(csv, {"subdural", "epidural", "blood"});
  CHECK(data.name == "mine");
  REQUIRE(data.studies.size() == 2);
  CHECK(data.label_names == std::vector<std::string>{"subdural", "epidural", "blood"});
  REQUIRE(data.notes.size() == 1);
  CHECK(data.notes[0].find(" age.") != std::string::npos);
  const auto& [first, second] = std::tie(data.studies[0], data.studies[1]);
  CHECK(first.patient == "p1");
  CHECK(first.mask == folder.path() / "m.nii.gz");
  CHECK(std::isnan(first.labels[2]));
  CHECK(second.patient == "s2");
  CHECK(second.split == "test");
  CHECK(second.group == "mine");
  CHECK(second.files == std::vector{folder.path() / "b.nii.gz"});
  REQUIRE(second.slice_labels.size() == 2);
  const auto& bleeding = second.slice_labels.at(0);
  CHECK(bleeding[0] == 1);
  CHECK(std::isnan(bleeding[1]));
  CHECK(bleeding[2] == 1);
  CHECK(second.slice_labels.at(2) == std::vector<float>{0, 0, 0});
  CHECK(read_manifest(csv, {"subdural"}).label_names == std::vector<std::string>{"subdural", "any"});
}

TEST_CASE("a manifest's mistakes are told with file, line and column") {
  const TemporaryFolder folder;
  write(folder.path() / "a.nii.gz", "");
  write(folder.path() / "b.nii.gz", "");
  const auto csv = folder.path() / "m.csv";
  const auto refused = [&](const std::string& text, const std::string& part) {
    const auto message = message_of(csv, text);
    CAPTURE(message);
    CHECK(message.find(csv.string()) == 0);
    CHECK(message.find(part) != std::string::npos);
  };
  refused("study,file\ns,a.nii.gz\n", "no column \"scan\"");
  refused("study,scan\ns,c.nii.gz\n", "line 2, column \"scan\"");
  refused("study,scan\n,a.nii.gz\n", "line 2, column \"study\"");
  refused("study,scan,any\ns,a.nii.gz,0.5\n", "line 2, column \"any\"");
  refused("study,scan,any\ns,a.nii.gz,yes\n", "line 2, column \"any\"");
  refused("study,scan,any,epidural\ns,a.nii.gz,0,1\n", "line 2");
  refused("study,scan,any,blood\ns,a.nii.gz,0,1\n", "mean the same");
  refused("study,scan,slice\ns,a.nii.gz,1.5\n", "column \"slice\"");
  refused("study,scan,slice\ns,a.nii.gz,1\ns,,1\n", "line 3, column \"slice\"");
  refused("study,scan,slice\ns,a.nii.gz,1\ns,b.nii.gz,2\n", "line 3, column \"scan\"");
  refused("study,scan,slice,patient\ns,a.nii.gz,1,p\ns,,2,q\n", "line 3, column \"patient\"");
  refused("study,scan\ns,a.nii.gz\ns,a.nii.gz\n", "line 3");
  refused("study,scan,slice\ns,,1\n", "has a scan");
}

TEST_CASE("RSNA's labels and files become studies by series") {
  const TemporaryFolder folder;
  const auto images = folder.path() / "stage_2_train";
  fs::create_directories(images);
  const auto first = write_rsna_series(images, "aa", 1), second = write_rsna_series(images, "bb", 2);
  const auto csv = folder.path() / "stage_2_train.csv";
  write(images / "ID_broken.dcm", "not DICOM");
  const std::string labels = "ID,Label\n" + six_lines(first[0], "") + six_lines(first[2], "subdural") +
                             six_lines(first[1], "") + six_lines(second[1], "epidural") +
                             six_lines(second[1], "epidural") + six_lines(second[2], "") + six_lines("ID_absent", "");
  write(csv, labels);
  const auto data = read_rsna(csv, images, {"any", "subdural"});
  REQUIRE(data.studies.size() == 2);
  CHECK(data.notes.size() == 3);  // a file that is no slice, a slice without label, a label without file
  const auto& [one, two] = data.studies[0].patient == "aa" ? std::tie(data.studies[0], data.studies[1])
                                                           : std::tie(data.studies[1], data.studies[0]);
  CHECK(one.patient == "aa");
  CHECK(two.patient == "bb");
  CHECK(one.slices == 3);
  CHECK(one.files[2].stem() == first[2]);
  CHECK(one.slice_labels.at(0) == std::vector<float>{0, 0});
  CHECK(one.slice_labels.at(2) == std::vector<float>{1, 1});
  CHECK(two.slice_labels.at(1) == std::vector<float>{1, 0});
  CHECK(!two.slice_labels.contains(0));

  const auto refused = [&](const std::string& text, const std::string& part) {
    write(csv, text);
    CHECK_THROWS_WITH_AS(read_rsna(csv, images, {"any"}), doctest::Contains(part.c_str()), Error);
  };
  refused(labels + first[0] + "_any,1\n", "as on line 7");
  refused("ID,Label\n" + first[0] + "_chronic,1\n", "line 2");
  refused("ID,Label\n" + first[0] + "_any,2\n", "line 2");
  refused("id,label\n", "line 1");
  refused("ID,Label\nID_absent_any,0\n", "none");
}
