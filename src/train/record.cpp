#include "record.hpp"

#include <ATen/Parallel.h>
#include <torch/csrc/api/include/torch/version.h>

#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <span>
#include <thread>
#include <utility>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/sha256.hpp"
#include "ichdet/core/version.hpp"

namespace ichdet::train {
namespace {

using nlohmann::json;

std::string in_letters(const std::vector<float>& labels) {
  std::string letters;
  for (const float label : labels) letters += std::isnan(label) ? '?' : label > 0.5F ? '1' : '0';
  return letters;
}

/// "AMD EPYC 9R14, 2 threads at once"
std::string machine() {
  std::string model = "a CPU without a name";
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    model = line.substr(std::min(line.find(": "), line.size() - 2) + 2);
    break;
  }
  return model + ", " + std::to_string(std::thread::hardware_concurrency()) + " threads at once";
}

/// Of each split and data set.
json sets_of(const std::vector<TrainingStudy>& studies) {
  struct Counts {
    std::int64_t studies = 0, slices = 0;
    std::set<std::string> patients;
  };
  std::map<std::pair<std::string, std::string>, Counts> sets;
  for (const auto& study : studies) {
    auto& counts = sets[{study.split, study.group}];
    ++counts.studies;
    counts.slices += study.geometry.count();
    counts.patients.insert(study.patient);
  }
  auto rows = json::array();
  for (const auto& [name, counts] : sets) {
    rows.push_back({{"set", name.first + " of " + name.second},
                    {"studies", counts.studies},
                    {"patients", counts.patients.size()},
                    {"slices", counts.slices}});
  }
  return rows;
}

std::string chosen_by(const TrainingSpec& training) {
  std::string names;
  for (const auto& name : training.score) names += (names.empty() ? "" : " and ") + name;
  return (training.score.size() > 1 ? "the mean of " : "") + names + ", on the split \"" + training.validation_split +
         "\"";
}

}  // namespace

std::string data_hash(const std::vector<TrainingStudy>& studies, const std::string& split_hash) {
  auto all = json::array({split_hash});
  for (const auto& study : studies) {
    auto labels = in_letters(study.study_labels);
    for (const auto& slice : study.labels) labels += ' ' + in_letters(slice);
    all.push_back({study.study, study.patient, study.split, study.group, study.content, study.label_names, labels});
  }
  const auto text = all.dump();
  return sha256(std::as_bytes(std::span(text)));
}

json record_of(const Recipe& recipe, const TrainingSpec& training, const TrainOptions& options,
               const std::vector<TrainingStudy>& studies, const FitResult& result) {
  auto values = json::object();
  for (const auto& [name, value] : result.best.values) values[name] = value;
  json record{{"recipe", recipe.name},
              {"training", recipe.training},
              {"command", options.command},
              {"data", options.data_words},
              {"data_sha256", data_hash(studies, options.split_hash)},
              {"split_sha256", options.split_hash},
              {"sets", sets_of(studies)},
              {"initial_weights", options.initial.empty() ? std::string("random") : options.initial.string()},
              {"seed", training.seed},
              {"steps", result.step},
              {"best_step", result.best_step},
              {"chosen_by", chosen_by(training)},
              {"at_best", values},
              {"hours", result.seconds / 3600},
              {"machine", machine()},
              {"device", options.device},
              {"precision", result.bfloat16 ? "bfloat16" : "float32"},
              {"threads", at::get_num_threads()},
              {"version", version},
              {"torch", TORCH_VERSION}};
  if (std::filesystem::is_directory(options.initial)) {
    const auto parent = open_bundle(options.initial).identity();
    record["parent"] = {{"name", parent.name}, {"version", parent.version}, {"sha256", parent.sha256}};
  }
  return record;
}

}  // namespace ichdet::train
