#include "engine.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet::nn {

Compiled compile_openvino(const std::shared_ptr<torch::jit::Graph>&, const CompileOptions&) {
  throw Error(ErrorCode::options, "OpenVINO's plug-in is not installed");
}

}  // namespace ichdet::nn
