#include "ichdet/nn/prepare.hpp"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <torch/nn/module.h>

#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include "autograd.hpp"
#include "differentiate.hpp"
#include "engine.hpp"
#include "engine_table.hpp"
#include "graph_tools.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/nn/denormals.hpp"
#include "ichdet/nn/device.hpp"
#include "own_form.hpp"
#include "tile_product.hpp"
#include "weight_cache.hpp"

namespace ichdet {
namespace {

const std::pair<const char*, Precision> precisions[] = {{"auto", Precision::automatic},
                                                        {"float32", Precision::float32},
                                                        {"bfloat16", Precision::bfloat16},
                                                        {"adaptive", Precision::adaptive}};
const std::pair<const char*, Engine> engines[] = {
    {"auto", Engine::automatic}, {"native", Engine::native}, {"torch", Engine::torch}, {"openvino", Engine::openvino}};

template <class Names>
auto parse(const Names& names, const char* option, const std::string& text) {
  std::string all;
  for (const auto& [name, value] : names) {
    if (text == name) return value;
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  throw Error::mismatch(ErrorCode::options, option, "one of " + all, text);
}

template <class Names, class Value>
std::string name_of(const Names& names, Value value) {
  for (const auto& [name, known] : names) {
    if (known == value) return name;
  }
  return {};
}

/// LibTorch's exceptions as ours.
template <class Body>
auto guarded(Body&& body) {
  try {
    return body();
  } catch (const c10::Error& e) {
    const std::string what = e.what_without_backtrace();
    const bool memory = what.find("memory") != std::string::npos;
    throw Error(memory ? ErrorCode::limit : ErrorCode::shape, "network: " + what);
  }
}

std::string text(at::IntArrayRef shape) { return c10::str(shape); }

}  // namespace

Precision parse_precision(const std::string& text) { return parse(precisions, "precision", text); }
Engine parse_engine(const std::string& text) { return parse(engines, "engine", text); }
std::string to_string(Precision precision) { return name_of(precisions, precision); }
std::string to_string(Engine engine) { return name_of(engines, engine); }

bool has_fast_bfloat16() { return nn::has_amx_bf16(); }

struct PreparedNetwork::State {
  struct Entry {
    std::once_flag once;
    nn::Compiled compiled;
    Preparation preparation;
  };

  PrepareOptions options;
  std::string name;
  Engine engine;                   ///< the one asked for, or the table's
  std::optional<nn::OwnForm> own;  ///< then neither module nor forward are needed
  double own_seconds = 0;          ///< that making it took
  bool gradient = false;           ///< of what `forward` gives, with respect to the input
  std::shared_ptr<torch::nn::Module> module;
  Forward forward;
  nn::WeightCache weights;
  std::map<std::vector<std::int64_t>, nn::Compiled> images;  ///< by the native engine, for any number of them
  std::mutex tracing, finding;
  std::map<std::vector<std::int64_t>, std::unique_ptr<Entry>> entries;

  Entry& entry(at::IntArrayRef shape);
  void compile(Entry& entry, at::IntArrayRef shape);
};

PreparedNetwork::State::Entry& PreparedNetwork::State::entry(at::IntArrayRef shape) {
  Entry* found = nullptr;
  {
    const std::scoped_lock lock(finding);
    auto& slot = entries[shape.vec()];
    if (slot == nullptr) slot = std::make_unique<Entry>();
    found = slot.get();
  }
  std::call_once(found->once, [&] {
    const auto start = std::chrono::steady_clock::now();
    found->preparation.shape = shape.vec();
    found->preparation.precision = options.precision;
    guarded([&] { compile(*found, shape); });
    found->preparation.activations_mib = double(found->compiled.activation_bytes) / (1 << 20);
    found->preparation.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  });
  return *found;
}

void PreparedNetwork::State::compile(Entry& entry, at::IntArrayRef shape) {
  auto& done = entry.preparation;
  if (own) {
    done.engine = own->engine;
    done.form = own->name;
    done.reason = own->reason;
    done.seconds = own_seconds;
    entry.compiled.run = own->run;
    entry.compiled.activation_bytes = own->activation_bytes(shape);
    return;
  }
  const nn::CompileOptions how{options.precision, options.threads, options.device, options.cache_folder};
  const std::scoped_lock lock(tracing);
  const auto traced = [&](at::IntArrayRef size) {
    auto graph = nn::trace(*module, forward, size);
    nn::fold(*graph, weights);
    if (gradient) nn::differentiate(*graph, weights);
    return graph;
  };
  if (engine == Engine::native) {
    try {
#ifdef ICHDET_HAS_NATIVE
      if ((shape.size() != 4 && shape.size() != 5) || shape[0] == 0) {
        throw Error(ErrorCode::options, "native: takes images and volumes alone");
      }
      if (!at::Device(options.device).is_cpu()) throw Error(ErrorCode::options, "native: runs on the CPU alone");
      auto one = shape.vec();
      one[0] = 1;
      auto& image = images[one];
      if (!image.run) image = nn::compile_native(traced(one), how, options.workspace);
      entry.compiled = image;
      const auto at_once = std::min<std::int64_t>(shape[0], at::get_num_threads());
      if (at_once == at::get_num_threads()) entry.compiled.activation_bytes *= at_once;
#else
      throw Error(ErrorCode::options, "native: ichdet has kernels of its own for x86-64 alone");
#endif
      done.form = entry.compiled.form;
      done.engine = Engine::native;
      return;
    } catch (const Error& e) {
      done.reason = e.what();
    }
  }
  std::shared_ptr<torch::jit::Graph> graph;
  try {
    graph = traced(shape);
  } catch (const Error& e) {
    if (!gradient || e.code() != ErrorCode::options) throw;
    entry.compiled = nn::autograd_gradient(module, forward);
    done.form = entry.compiled.form;
    done.precision = Precision::float32;
    done.reason = e.what();
    return;
  }
  if (const auto always = nn::constant(graph->outputs().front())) {  // the gradient of a linear score
    entry.compiled.run = [value = always->toTensor()](const at::Tensor&) { return value.clone(); };
    done.form = "constant";
    return;
  }
  if (engine == Engine::openvino) {
    try {
      entry.compiled = nn::compile_openvino(graph, how);
      done.form = entry.compiled.form;
      done.engine = Engine::openvino;
      return;
    } catch (const Error& e) {
      done.reason = e.what();
    }
  }
  entry.compiled = nn::compile_torch(graph, how, weights);
  done.form = entry.compiled.form;
}

PreparedNetwork::PreparedNetwork(std::shared_ptr<State> state) : state_(std::move(state)) {}

at::Tensor PreparedNetwork::operator()(const at::Tensor& input) const {
  const InferenceThreads threads(state_->options.threads);
  const auto& entry = state_->entry(input.sizes());
  const auto& options = state_->options;
  if (options.memory_mib > 0 && entry.preparation.activations_mib > options.memory_mib) {
    throw Error::mismatch(ErrorCode::limit, "network: memory for an input of " + text(input.sizes()),
                          "at most " + std::to_string(std::lround(options.memory_mib)) + " MiB",
                          std::to_string(std::lround(entry.preparation.activations_mib)) + " MiB");
  }
  const c10::InferenceMode no_gradients;
  return guarded([&] { return entry.compiled.run(input); });
}

Preparation PreparedNetwork::warm_up(at::IntArrayRef shape) const {
  (*this)(at::zeros(shape));
  return preparation(shape);
}

Preparation PreparedNetwork::preparation(at::IntArrayRef shape) const {
  const InferenceThreads threads(state_->options.threads);
  return state_->entry(shape).preparation;
}

const PrepareOptions& PreparedNetwork::options() const noexcept { return state_->options; }

bool PreparedNetwork::takes_any_shape() const noexcept { return state_->own.has_value(); }

namespace {

std::shared_ptr<PreparedNetwork::State> state_for(std::string name, const PrepareOptions& options) {
  if (options.precision == Precision::adaptive) {
    throw Error(ErrorCode::options,
                "prepare: adaptive is a segmenter's precision; a network is prepared in float32 or bfloat16");
  }
  auto state = std::make_shared<PreparedNetwork::State>();
  state->options = options;
  if (options.precision == Precision::automatic) state->options.precision = Precision::float32;
  if (!state->options.workspace) state->options.workspace = nn::new_workspace();
  state->name = std::move(name);
  state->engine = options.engine;
  return state;
}

std::shared_ptr<PreparedNetwork::State> state_for(const torch::nn::Module& module, const PrepareOptions& options) {
  if (module.is_training()) {
    throw Error(ErrorCode::options, "prepare: " + module.name() + " is in training mode; call eval() first");
  }
  return state_for(module.name(), options);
}

}  // namespace

PreparedNetwork prepare(std::shared_ptr<torch::nn::Module> module, Forward forward, const PrepareOptions& options,
                        bool whole) {
  const auto device = find_device(options.device, "prepare: device");
  auto state = state_for(*module, options);
  if (state->engine == Engine::automatic) state->engine = nn::fastest_engine(state->name, state->options.precision);
  const auto start = std::chrono::steady_clock::now();
  if (device.is_cpu() && whole) {
    state->own = guarded([&] { return nn::own_form(module, state->engine, state->options.precision); });
  }
  state->own_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!state->own) {
    state->module = std::move(module);
    state->forward = std::move(forward);
  }
  return PreparedNetwork(std::move(state));
}

PreparedNetwork prepare(Forward forward, const PrepareOptions& options) {
  auto state = state_for("a callable", options);
  state->options.precision = Precision::float32;
  // A copy, since the callable may keep what it gave.
  const auto run = [forward = std::move(forward)](const at::Tensor& input) {
    return forward(input).detach().to(at::kCPU, at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
  };
  state->own = nn::OwnForm{run, [](at::IntArrayRef) { return std::int64_t(0); }, Engine::torch, "a callable", {}};
  return PreparedNetwork(std::move(state));
}

PreparedNetwork prepare_gradient(std::shared_ptr<torch::nn::Module> module, Forward score,
                                 const PrepareOptions& options) {
  find_device(options.device, "prepare: device");
  auto state = state_for(*module, options);
  if (state->engine == Engine::automatic)
    state->engine = nn::has_native_kernels(state->options.precision) ? Engine::native : Engine::torch;
  state->gradient = true;
  state->module = std::move(module);
  state->forward = std::move(score);
  return PreparedNetwork(std::move(state));
}

Difference verify(const PreparedNetwork& prepared, const Forward& plain, const at::Tensor& input) {
  const auto found = prepared(input);
  const c10::InferenceMode no_gradients;
  const InferenceThreads threads(prepared.options().threads);
  const auto expected = guarded([&] { return plain(input); });
  if (found.sizes() != expected.sizes()) {
    throw Error::mismatch(ErrorCode::shape, "verify: the prepared network's output", text(expected.sizes()),
                          text(found.sizes()));
  }
  if (expected.numel() == 0) return {};
  const auto gap = (found.to(at::kDouble) - expected.to(at::kDouble)).abs();
  return {gap.max().item<double>(), gap.mean().item<double>(), expected.abs().max().item<double>()};
}

}  // namespace ichdet
