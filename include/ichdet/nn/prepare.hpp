#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace torch::nn {
class Module;
}

namespace ichdet {

enum class Precision {
  automatic,  ///< what the caller knows to be fast and faithful here; prepare takes float32
  float32,
  bfloat16,
  adaptive,  ///< bfloat16, and float32 again where that may matter: Segmenter
};
enum class Engine {
  automatic,  ///< what was fastest for the network, the precision and this CPU when measured: docs/benchmarks.md
  native,     ///< ichdet's own kernels: DeepMedic, and networks of images and volumes (docs/engines.md)
  torch,      ///< LibTorch; always there, and the reference
  openvino,   ///< where its plug-in is installed
};

/// Throw Error(options) that lists the names there are.
Precision parse_precision(const std::string& text);
Engine parse_engine(const std::string& text);
std::string to_string(Precision precision);
std::string to_string(Engine engine);

/// Whether this CPU multiplies bfloat16 matrices in hardware (AMX), many times as fast as float32.
bool has_fast_bfloat16();

namespace nn {
class Workspace;

/// Memory for activations, see PrepareOptions.
std::shared_ptr<Workspace> new_workspace();
}  // namespace nn

struct PrepareOptions {
  Precision precision = Precision::automatic;
  Engine engine = Engine::automatic;
  int threads = 0;             ///< 0: as many as LibTorch is set to use
  std::string device = "cpu";  ///< or "cuda", "cuda:1", ... where LibTorch has it
  double memory_mib = 0;       ///< a call whose activations would need more is refused; 0: no ceiling
  /// Where an engine may keep compiled networks from run to run (OpenVINO does); empty: nowhere.
  std::filesystem::path cache_folder;
  /// Memory for activations that the native engine keeps from call to call: networks that are given the same one share
  /// it, so that an ensemble holds that of its largest member. None: each keeps its own.
  std::shared_ptr<nn::Workspace> workspace;
};

/// What was made of a network for inputs of one shape.
struct Preparation {
  std::vector<std::int64_t> shape;
  Engine engine = Engine::torch;
  Precision precision = Precision::float32;
  std::string form;            ///< in words: "DeepMedic on AMX tiles ...", "traced graph: ..."
  std::string reason;          ///< why another engine than the one asked for, or than the table's, ran; else empty
  double seconds = 0;          ///< that preparing took: the first call's extra cost
  double activations_mib = 0;  ///< held during a call, beside input, output and weights
};

/// A network made ready for inference: a callable from input to logits, of the same shapes as the module's forward.
///
/// Immutable and shared: copies are handles on one set of weights, and calls may run from several threads at once. A
/// call runs without gradients and with denormal numbers flushed (InferenceThreads). What depends on the input's shape
/// is made at the first call with that shape and kept; other calls with the shape wait for it.
class PreparedNetwork {
 public:
  struct State;
  explicit PreparedNetwork(std::shared_ptr<State> state);

  /// float32 in, float32 out, on the CPU. Throws Error(shape) for a shape that the network does not take, Error(limit)
  /// above the memory ceiling.
  at::Tensor operator()(const at::Tensor& input) const;

  /// Pays ahead for the first call with this shape, and runs one on zeros.
  Preparation warm_up(at::IntArrayRef shape) const;

  /// What would run, or runs, for this shape; prepares it where that has not happened yet.
  Preparation preparation(at::IntArrayRef shape) const;

  const PrepareOptions& options() const noexcept;

  /// Whether a new shape costs next to nothing, so that patches may be fitted to what they cover.
  bool takes_any_shape() const noexcept;

 private:
  std::shared_ptr<State> state_;
};

using Forward = std::function<at::Tensor(const at::Tensor&)>;

/// The one place where a plain module becomes fast: `forward` is the module's, or a part of it. The module has to be in
/// evaluation mode, and must not change while the prepared network lives.
///
/// Any module of aten operators is traced at the first call with a shape (one plain forward), batch norm is folded into
/// convolutions, and the graph is lowered to the engine. Where the engine asked for cannot take the graph, or is not
/// installed, LibTorch runs it and `Preparation::reason` says why. DeepMedic has a form of its own on the CPU: batch
/// norm, PReLU and the residual sum fused into the convolutions, channels that a zero batch norm scale makes constant
/// folded into the next bias, the head's first layer applied to each pathway before up-sampling. `native` takes other
/// networks of images (N, C, H, W) and volumes (N, C, D, H, W) too, each by itself: they must not mix images.
///
/// float32: logits agree with the module's within 1e-4 of their range; `native` reaches that by values split into two
/// bfloat16 numbers (some 1e-5), `torch` by float32 itself. bfloat16: multiplication in bfloat16, sums in
/// float32; fast where the CPU has AMX. `adaptive` belongs to Segmenter, which prepares a network in both.
///
/// Throws Error(options) for a module in training mode, for `adaptive`, and for a device that LibTorch does not have.
///
/// `whole`: `forward` is all that the module does, so that a form made by hand may stand in for it.
PreparedNetwork prepare(std::shared_ptr<torch::nn::Module> module, Forward forward, const PrepareOptions& options = {},
                        bool whole = false);

template <class M>
PreparedNetwork prepare(const std::shared_ptr<M>& module, const PrepareOptions& options = {}) {
  return prepare(
      module, [m = module.get()](const at::Tensor& x) -> at::Tensor { return m->forward(x); }, options, true);
}

/// A callable as it is, in the place of a prepared module: float32 to logits, of inputs of any shape. Nothing is folded
/// or lowered, and of the options `threads` alone counts. What it throws comes through.
PreparedNetwork prepare(Forward forward, const PrepareOptions& options = {});

/// The gradient of a score with respect to the input, made ready likewise: a callable from inputs to gradients of the
/// same shape. `score` is the module's forward, or a part of it, and whatever makes a score of its output, in
/// LibTorch's operators; where it gives several values for an image (all of them, if need be) their sum's gradient is
/// taken. Images must not be mixed.
///
/// The traced graph is differentiated as a graph, so that the engines run it as they run a network: no gradients of
/// weights, nothing recorded at run time, convolutions' gradients as convolutions. `native` knows the networks of ReLU,
/// convolutions, pools and sums; LibTorch runs the others. Where the derivative of an operator is not known, LibTorch's
/// autograd runs the module in float32, and `Preparation::reason` says so. Engine::automatic is `native` where the CPU
/// has AMX or AVX-512.
///
/// Throws as prepare does.
PreparedNetwork prepare_gradient(std::shared_ptr<torch::nn::Module> module, Forward score,
                                 const PrepareOptions& options = {});

/// How far a prepared network is from the plain one on an input.
struct Difference {
  double largest = 0;
  double mean = 0;
  double range = 0;  ///< largest magnitude of the plain network's output: what the others are to be judged by
};

Difference verify(const PreparedNetwork& prepared, const Forward& plain, const at::Tensor& input);

template <class M>
Difference verify(const PreparedNetwork& prepared, const std::shared_ptr<M>& module, const at::Tensor& input) {
  return verify(
      prepared, [m = module.get()](const at::Tensor& x) -> at::Tensor { return m->forward(x); }, input);
}

}  // namespace ichdet
