#include "ichdet/train/loop.hpp"

#include <ATen/Functions.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/optimizer.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <optional>

#include "autocast.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/nn/denormals.hpp"
#include "ichdet/nn/prepare.hpp"
#include "ichdet/nn/state_dict.hpp"
#include "ichdet/phantom/random.hpp"
#include "ichdet/train/curves.hpp"
#include "ichdet/train/log.hpp"
#include "ichdet/train/weight_average.hpp"
#include "prefetch.hpp"
#include "training_state.hpp"

namespace ichdet::train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

void make_ready(Network& network) {
  network.train();
  for (auto& parameter : network.parameters()) {
    parameter.set_data(channels_last(parameter.detach()));
    parameter.requires_grad_(true);
  }
}

std::string time_left(double seconds) {
  char text[64];
  const auto minutes = std::int64_t(std::ceil(seconds / 60));
  if (minutes < 60) {
    std::snprintf(text, sizeof text, "%lld min left", static_cast<long long>(minutes));
  } else {
    std::snprintf(text, sizeof text, "%lld h %02lld min left", static_cast<long long>(minutes / 60),
                  static_cast<long long>(minutes % 60));
  }
  return text;
}

/// One training from its first, or next, step to its last.
class Training {
 public:
  Training(Network& network, const Objective& objective, const Validation& validation, const FitOptions& options,
           const fs::path& folder, const Progress& progress)
      : network_(network),
        objective_(objective),
        validation_(validation),
        options_(options),
        folder_(folder),
        progress_(progress) {
    network_.to(options_.device);
    make_ready(network_);
    optimizer_ = make_optimizer(options_.optimizer, network_);
    if (options_.average > 0) average_.emplace(network_, options_.average);
    standing_.identity = options_.identity;
    fs::create_directories(folder_);
    if (fs::exists(state_file())) {
      standing_ = load_state(state_file(), options_.identity, options_.device, network_, *optimizer_, average());
    }
    first_step_ = saved_ = standing_.step;
    log_.emplace(folder_, standing_.step);
  }

  FitResult run(const BatchSource& batches) {
    if (validation_was_cut_short()) validate();
    {
      Prefetch ahead(batches, standing_.step, options_.steps, options_.workers);
      while (standing_.step < options_.steps && !time_is_up()) {
        if (progress_.stop.stop_requested()) save();
        tell();
        learn(ahead.next());
      }
    }
    if (saved_ != standing_.step) save();
    FitResult result;
    result.step = standing_.step;
    result.seconds = seconds();
    result.best_step = standing_.best_step;
    result.bfloat16 = options_.bfloat16 && multiplies_in_bfloat16(options_.device);
    result.best = {standing_.best_score, standing_.best_values};
    result.last = last_;
    // A short sitting may end before anything was judged; judging here would make it another training.
    if (standing_.best_step >= 0) load_state_dict(network_, read_state_dict(folder_ / "best.safetensors"));
    network_.to(at::kCPU);
    network_.eval();
    return result;
  }

 private:
  at::Tensor to_device(const at::Tensor& tensor) const {
    return tensor.defined() ? tensor.to(options_.device) : tensor;
  }
  fs::path state_file() const { return folder_ / "state.pt"; }
  WeightAverage* average() { return average_ ? &*average_ : nullptr; }
  double seconds() const { return standing_.seconds + std::chrono::duration<double>(Clock::now() - since_).count(); }
  bool time_is_up() const {
    return options_.minutes > 0 && std::chrono::duration<double>(Clock::now() - start_).count() > 60 * options_.minutes;
  }

  /// Whether what comes every so many steps comes now.
  bool due(std::int64_t every) const {
    return standing_.step == options_.steps || (every > 0 && standing_.step % every == 0);
  }

  /// Whether the last sitting ended while this step's weights were judged.
  bool validation_was_cut_short() const {
    if (standing_.step == 0 || !due(options_.validate_every)) return false;
    return std::ranges::none_of(
        log_->rows(), [&](const LogRow& row) { return row.step == standing_.step && row.name == "validation/score"; });
  }

  Error no_number(const std::string& what) const {
    return {ErrorCode::weights, "step " + std::to_string(standing_.step) + ": " + what +
                                    " is no number; the state of step " + std::to_string(saved_) +
                                    " is kept. A smaller learning rate may help"};
  }

  void learn(const Batch& batch) {
    const auto step = standing_.step;
    at::manual_seed(counter_hash(options_.seed, 0x7374657073, std::uint64_t(step)));
    const auto rate =
        options_.optimizer.learning_rate * schedule_factor(options_.schedule, step, options_.steps, options_.epoch);
    set_learning_rate(*optimizer_, rate);
    optimizer_->zero_grad();
    at::Tensor loss;
    {
      const Autocast autocast(options_.bfloat16, options_.device);
      loss =
          objective_(network_, {channels_last(to_device(batch.input)), to_device(batch.target), to_device(batch.mask)});
    }
    const auto value = loss.item<double>();
    if (!std::isfinite(value)) throw no_number("the loss");
    loss.backward();
    const auto limit = options_.optimizer.clip_gradient;
    const auto norm = torch::nn::utils::clip_grad_norm_(network_.parameters(),
                                                        limit > 0 ? limit : std::numeric_limits<double>::infinity());
    if (!std::isfinite(norm)) throw no_number("the gradient");
    optimizer_->step();
    if (average_) average_->update(network_);
    ++standing_.step;
    standing_.loss_sum += value;
    ++standing_.losses;
    if (due(options_.log_every)) {
      log_->add(standing_.step, "train/loss", standing_.loss_sum / double(standing_.losses));
      log_->add(standing_.step, "train/learning_rate", rate);
      standing_.loss_sum = 0;
      standing_.losses = 0;
    }
    last_loss_ = value;
    if (due(options_.validate_every)) validate();
    if (due(options_.save_every) && saved_ != standing_.step) save();
  }

  void validate() {
    if (average_) average_->swap(network_);
    network_.eval();
    try {
      const at::NoGradGuard no_grad;
      last_ = validation_(network_, progress_);
    } catch (const Error& error) {
      if (average_) average_->swap(network_);
      network_.train();
      if (error.code() == ErrorCode::cancelled) save();
      throw;
    }
    for (const auto& [name, value] : last_.values) log_->add(standing_.step, name, value);
    log_->add(standing_.step, "validation/score", last_.value);
    const bool better = standing_.best_step < 0 || last_.value > standing_.best_score;
    if (better) {
      standing_.best_step = standing_.step;
      standing_.best_score = last_.value;
      standing_.best_values = last_.values;
      keep("best.safetensors");
    }
    keep("last.safetensors");
    if (average_) average_->swap(network_);
    network_.train();
    write_curves(folder_ / "curves.png", log_->rows());
    if (better) save();  // a resumed training must not forget which one was best
  }

  void keep(const char* name) {
    auto partial = folder_ / name;
    partial += ".partial";
    save_state_dict(network_, partial);
    fs::rename(partial, folder_ / name);
  }

  void save() {
    auto standing = standing_;
    standing.seconds = seconds();
    save_state(state_file(), standing, network_, *optimizer_, average());
    saved_ = standing_.step;
  }

  void tell() {
    const auto done = standing_.step - first_step_;
    char text[128];
    if (done < 3) {
      std::snprintf(text, sizeof text, "step %lld of %lld", static_cast<long long>(standing_.step),
                    static_cast<long long>(options_.steps));
    } else {
      const auto each = std::chrono::duration<double>(Clock::now() - start_).count() / double(done);
      std::snprintf(text, sizeof text, "step %lld of %lld, loss %.4f, %s", static_cast<long long>(standing_.step),
                    static_cast<long long>(options_.steps), last_loss_,
                    time_left(each * double(options_.steps - standing_.step)).c_str());
    }
    progress_(text, double(standing_.step) / double(options_.steps));
  }

  Network& network_;
  const Objective& objective_;
  const Validation& validation_;
  FitOptions options_;
  fs::path folder_;
  const Progress& progress_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  std::optional<WeightAverage> average_;
  std::optional<TrainingLog> log_;
  Standing standing_;
  Score last_;
  std::int64_t saved_ = 0;
  double last_loss_ = 0;
  Clock::time_point start_ = Clock::now(), since_ = start_;
  std::int64_t first_step_ = 0;
};

}  // namespace

bool multiplies_in_bfloat16(const at::Device& device) { return !device.is_cpu() || has_fast_bfloat16(); }

FitResult fit(Network& network, const BatchSource& batches, const Objective& objective, const Validation& validation,
              const FitOptions& options, const fs::path& folder, const Progress& progress) {
  const InferenceThreads threads(0);
  Training training(network, objective, validation, options, folder, progress);
  return training.run(batches);
}

}  // namespace ichdet::train
