#include "training_state.hpp"

#include <torch/optim/optimizer.h>
#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "ichdet/core/error.hpp"

namespace ichdet::train {
namespace {

namespace fs = std::filesystem;
using torch::serialize::InputArchive;
using torch::serialize::OutputArchive;

std::string as_text(const Standing& standing) {
  return nlohmann::json{{"identity", standing.identity},   {"step", standing.step},
                        {"best_step", standing.best_step}, {"best_score", standing.best_score},
                        {"seconds", standing.seconds},     {"best_values", standing.best_values},
                        {"loss_sum", standing.loss_sum},   {"losses", standing.losses}}
      .dump();
}

Standing from_text(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  Standing standing;
  json.at("identity").get_to(standing.identity);
  json.at("step").get_to(standing.step);
  json.at("best_step").get_to(standing.best_step);
  json.at("best_score").get_to(standing.best_score);
  json.at("seconds").get_to(standing.seconds);
  json.at("loss_sum").get_to(standing.loss_sum);
  json.at("losses").get_to(standing.losses);
  for (const auto& [name, value] : json.at("best_values").items()) {
    standing.best_values[name] = value.is_number() ? value.get<double>() : std::nan("");
  }
  return standing;
}

template <class Part>
void write_part(OutputArchive& whole, const std::string& name, Part&& part) {
  OutputArchive archive(whole.compilation_unit());
  part(archive);
  whole.write(name, archive);
}

template <class Part>
void read_part(InputArchive& whole, const std::string& name, Part&& part) {
  InputArchive archive;
  whole.read(name, archive);
  part(archive);
}

}  // namespace

void save_state(const fs::path& file, const Standing& standing, Network& network,
                const torch::optim::Optimizer& optimizer, const WeightAverage* average) {
  auto partial = file;
  partial += ".partial";
  try {
    OutputArchive archive;
    archive.write("standing", c10::IValue(as_text(standing)));
    write_part(archive, "network", [&](OutputArchive& part) { network.save(part); });
    write_part(archive, "optimizer", [&](OutputArchive& part) { optimizer.save(part); });
    if (average != nullptr) {
      archive.write("average_updates", c10::IValue(average->updates));
      c10::Dict<std::string, at::Tensor> tensors;
      for (const auto& [name, tensor] : average->tensors) tensors.insert(name, tensor);
      archive.write("average", c10::IValue(tensors));
    }
    archive.save_to(partial.string());
    fs::rename(partial, file);
  } catch (const c10::Error& e) {
    throw Error(ErrorCode::io, partial.string() + ": cannot be written: " + e.what_without_backtrace());
  } catch (const fs::filesystem_error& e) {
    throw Error(ErrorCode::io, e.what());
  }
}

Standing load_state(const fs::path& file, const std::string& identity, const at::Device& device, Network& network,
                    torch::optim::Optimizer& optimizer, WeightAverage* average) {
  try {
    InputArchive archive;
    archive.load_from(file.string(), device);
    c10::IValue text;
    archive.read("standing", text);
    const auto standing = from_text(text.toStringRef());
    if (standing.identity != identity) {
      throw Error(ErrorCode::options, file.string() +
                                          ": is the state of another training: recipe or data have changed since; "
                                          "give the new one a folder of its own");
    }
    read_part(archive, "network", [&](InputArchive& part) { network.load(part); });
    read_part(archive, "optimizer", [&](InputArchive& part) { optimizer.load(part); });
    if (average != nullptr) {
      c10::IValue updates, tensors;
      archive.read("average_updates", updates);
      archive.read("average", tensors);
      average->updates = updates.toInt();
      for (const auto& entry : tensors.toGenericDict()) {
        average->tensors[entry.key().toStringRef()] = entry.value().toTensor();
      }
    }
    return standing;
  } catch (const c10::Error& e) {
    throw Error(ErrorCode::io, file.string() + ": is damaged: " + e.what_without_backtrace());
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorCode::io, file.string() + ": is damaged: " + e.what());
  }
}

}  // namespace ichdet::train
