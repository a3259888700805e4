#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "ichdet/core/progress.hpp"
#include "ichdet/nn/network.hpp"
#include "ichdet/train/optimizer.hpp"

namespace ichdet::train {

/// Whether training in bfloat16 can be trusted there: on a CPU it takes AMX. On one without (AVX512_BF16), oneDNN's
/// gradients of the weights of convolutions of 2 x 2 x 4 voxels were sometimes no numbers (LibTorch 2.13.0).
bool multiplies_in_bfloat16(const at::Device& device);

/// What one step learns from.
struct Batch {
  at::Tensor input;   ///< as the network reads it, float32
  at::Tensor target;  ///< as the objective reads it
  at::Tensor mask;    ///< (N, H, W) of classes, for S3's localisation; else undefined
};

/// The batch of a step, counted from 0: a pure function, since a resumed training asks for the same ones again. Called
/// ahead, from other threads.
using BatchSource = std::function<Batch(std::int64_t step)>;

/// A scalar to be made small.
using Objective = std::function<at::Tensor(Network& network, const Batch& batch)>;

/// How good a network is.
struct Score {
  double value = 0;                      ///< by which the best is chosen: more is better
  std::map<std::string, double> values;  ///< "validation/dice": for the log
};
using Validation = std::function<Score(Network& network, const Progress& progress)>;

struct FitOptions {
  std::int64_t steps = 1000;
  std::int64_t epoch = 1;           ///< steps of an epoch, for the schedule
  std::int64_t validate_every = 0;  ///< steps; 0: at the end alone
  std::int64_t save_every = 200;    ///< steps between states from which a killed training goes on
  std::int64_t log_every = 20;      ///< steps whose mean loss makes a row of the log
  double minutes = 0;               ///< of this sitting, after which it saves and returns; 0: until the end
  OptimizerSpec optimizer;
  ScheduleSpec schedule;
  double average = 0;     ///< decay of the weights' running mean, which is what is validated and kept; 0: none
  bool bfloat16 = false;  ///< autocast, where multiplies_in_bfloat16(): up to three times as fast on CPUs with AMX
  at::Device device = at::kCPU;
  int workers = 1;  ///< threads that make batches ahead
  std::uint64_t seed = 0;
  /// What must be the same for a training to go on: a hash of recipe and data.
  std::string identity;
};

struct FitResult {
  std::int64_t step = 0;  ///< done so far; less than `steps` where its minutes were over
  double seconds = 0;     ///< over all sittings
  std::int64_t best_step = 0;
  bool bfloat16 = false;  ///< multiplied in
  Score best, last;
};

/// Trains, or goes on where `folder` holds the state of an earlier sitting: a resumed training sees the same batches,
/// learning rates and random numbers, and has the same losses as one that was never interrupted, on the same machine
/// and number of threads; on CUDA, whose sums have no fixed order, nearly so.
///
/// In `folder`: metrics.csv, TensorBoard's events, curves.png, state.pt, best.safetensors and last.safetensors. At the
/// end the network holds the best weights, on the CPU, and is in evaluation mode. A stop by `progress`, be it while the
/// weights are judged, saves first, then throws Error(cancelled).
///
/// Throws Error(options) where `folder` holds another training's state, Error(weights) where a loss or the gradients'
/// norm is no number, Error(io).
FitResult fit(Network& network, const BatchSource& batches, const Objective& objective, const Validation& validation,
              const FitOptions& options, const std::filesystem::path& folder, const Progress& progress = {});

}  // namespace ichdet::train
