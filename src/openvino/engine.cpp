#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <torch/version.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <openvino/runtime/core.hpp>
#include <openvino/runtime/intel_cpu/properties.hpp>
#include <openvino/runtime/properties.hpp>

#include "ichdet/core/error.hpp"
#include "lower.hpp"
#include "openvino_plugin.hpp"

namespace ichdet::openvino {
namespace {

/// OpenVINO's exceptions as ours, on one line.
template <class Body>
auto guarded(Body&& body) {
  try {
    return body();
  } catch (const ov::Exception& e) {
    std::string what = e.what();
    std::replace(what.begin(), what.end(), '\n', ' ');
    throw Error(ErrorCode::options, "OpenVINO: " + what);
  }
}

ov::AnyMap properties(const nn::CompileOptions& options) {
  const bool exact = options.precision != Precision::bfloat16;
  ov::AnyMap map{
      ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
      ov::hint::inference_precision(exact ? ov::element::f32 : ov::element::bf16),
      ov::hint::execution_mode(exact ? ov::hint::ExecutionMode::ACCURACY : ov::hint::ExecutionMode::PERFORMANCE),
      ov::hint::enable_cpu_pinning(false),
      ov::num_streams(1),
      ov::inference_num_threads(options.threads > 0 ? options.threads : at::get_num_threads()),
      ov::intel_cpu::denormals_optimization(true),
  };
  if (!options.cache_folder.empty()) map.insert(ov::cache_dir(options.cache_folder.string()));
  return map;
}

/// Results alive at once, at worst, in the network as OpenVINO says it executes it. It computes some in place, so this
/// is rather too much.
std::int64_t activation_bytes(const ov::CompiledModel& network) {
  const auto model = network.get_runtime_model();
  const auto steps = model->get_ordered_ops();
  std::map<const ov::Node*, std::size_t> last_use;
  for (std::size_t step = 0; step < steps.size(); ++step) {
    for (const auto& input : steps[step]->input_values()) last_use[input.get_node()] = step;
  }
  std::map<std::size_t, std::int64_t> freed;  // by the step after which
  std::int64_t alive = 0, most = 0;
  for (std::size_t step = 0; step < steps.size(); ++step) {
    const auto kind = steps[step]->get_rt_info().at("layerType").as<std::string>();
    if (kind == "Const" || kind == "Input" || kind == "Output") continue;
    for (const auto& output : steps[step]->outputs()) {
      const auto bytes = std::int64_t(ov::shape_size(output.get_shape()) * output.get_element_type().size());
      alive += bytes;
      freed[last_use[steps[step].get()]] += bytes;
    }
    most = std::max(most, alive);
    alive -= freed[step];
  }
  return most;
}

/// A compiled network and its requests: each holds buffers, and serves one call at a time.
class Network {
 public:
  explicit Network(ov::CompiledModel model) : model_(std::move(model)) {
    const auto shape = model_.output().get_shape();
    result_sizes_.assign(shape.begin(), shape.end());
    idle_.push_back(model_.create_infer_request());
  }

  at::Tensor operator()(const at::Tensor& input) {
    if (input.scalar_type() != at::kFloat) {
      throw Error::mismatch(ErrorCode::shape, "network: input", "float32", at::toString(input.scalar_type()));
    }
    const auto x = input.contiguous();
    auto result = at::empty(result_sizes_, at::kFloat);
    auto request = take();
    request.set_input_tensor({ov::element::f32, model_.input().get_shape(), x.mutable_data_ptr()});
    request.set_output_tensor({ov::element::f32, model_.output().get_shape(), result.mutable_data_ptr()});
    request.infer();
    const std::scoped_lock lock(mutex_);
    idle_.push_back(std::move(request));
    return result;
  }

 private:
  ov::InferRequest take() {
    const std::scoped_lock lock(mutex_);
    if (idle_.empty()) return model_.create_infer_request();
    auto request = std::move(idle_.back());
    idle_.pop_back();
    return request;
  }

  ov::CompiledModel model_;
  std::vector<std::int64_t> result_sizes_;
  std::mutex mutex_;
  std::vector<ov::InferRequest> idle_;
};

nn::Compiled compile(const std::shared_ptr<torch::jit::Graph>& graph, const nn::CompileOptions& options) {
  if (options.device != "cpu") {
    throw Error::mismatch(ErrorCode::options, "OpenVINO: device", "cpu", options.device);
  }
  const auto model = lower(*graph, options.precision != Precision::bfloat16);
  if (ov::shape_size(model->input().get_shape()) == 0 || ov::shape_size(model->output().get_shape()) == 0) {
    throw Error(ErrorCode::options, "OpenVINO: tensors without elements are not mapped");
  }
  return guarded([&] {
    static ov::Core core;
    auto compiled = core.compile_model(model, "CPU", properties(options));
    const auto bytes = activation_bytes(compiled);
    const auto network = std::make_shared<Network>(std::move(compiled));
    return nn::Compiled{[network](const at::Tensor& x) { return guarded([&] { return (*network)(x); }); }, bytes};
  });
}

}  // namespace
}  // namespace ichdet::openvino

extern "C" __attribute__((visibility("default"))) const ichdet::nn::OpenVinoPlugin* ichdet_openvino_plugin() {
  static const ichdet::nn::OpenVinoPlugin plugin{ichdet::nn::openvino_abi, TORCH_VERSION, ichdet::openvino::compile};
  return &plugin;
}
