// Runs a network through the plug-in, and sees which file was opened: the installed one, and not the build tree's.
#include <ATen/Functions.h>
#include <torch/nn/module.h>

#include <cstdio>
#include <fstream>
#include <ichdet/nn/prepare.hpp>
#include <string>

int main() {
  auto module = std::make_shared<torch::nn::Module>("relu");
  module->eval();
  ichdet::PrepareOptions options;
  options.engine = ichdet::Engine::openvino;
  const auto network = ichdet::prepare(
      module, [](const at::Tensor& x) { return at::relu(x); }, options);
  const auto x = at::randn({2, 3});
  const bool equal = at::equal(network(x), at::relu(x));
  const auto done = network.preparation({2, 3});
  std::printf("%s %s\n", to_string(done.engine).c_str(), done.reason.c_str());

  std::ifstream maps("/proc/self/maps");
  std::string line, opened;
  while (std::getline(maps, line)) {
    if (line.find("libichdet_openvino") != std::string::npos) opened = line.substr(line.find('/'));
  }
  std::printf("%s\n", opened.c_str());
  const bool installed = opened.find("/stage/") != std::string::npos;
  return equal && done.engine == ichdet::Engine::openvino && installed ? 0 : 1;
}
