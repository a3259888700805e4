// A plug-in of another version, which has to be refused.
#include "../../../src/nn/openvino_plugin.hpp"

extern "C" const ichdet::nn::OpenVinoPlugin* ichdet_openvino_plugin() {
  static const ichdet::nn::OpenVinoPlugin plugin{ichdet::nn::openvino_abi + 1, "1.0.0", nullptr};
  return &plugin;
}
