#include "ichdet/models/load_weights.hpp"

#include <ATen/Functions.h>

#include "ichdet/core/error.hpp"
#include "ichdet/models/classifier.hpp"

namespace ichdet::models {
namespace {

void adapt(const Classifier& network, StateDict& weights) {
  const auto first = weights.tensors.find(network.first_convolution + ".weight");
  if (first != weights.tensors.end() && first->second.dim() == 4 && first->second.size(1) != network.in_chans) {
    weights.notes.push_back(first->first + ": adapted from " + std::to_string(first->second.size(1)) + " to " +
                            std::to_string(network.in_chans) + " channels");
    first->second = adapt_input_conv(first->second, network.in_chans);
  }
  const auto last = weights.tensors.find(network.classifier_name + ".weight");
  if (last == weights.tensors.end() || last->second.dim() == 0 || last->second.size(0) == network.num_classes()) return;
  weights.notes.push_back(network.classifier_name + ": dropped, it is for " + std::to_string(last->second.size(0)) +
                          " classes, the network has " + std::to_string(network.num_classes()));
  for (const auto* part : {".weight", ".bias"}) {
    const auto name = network.classifier_name + part;
    weights.tensors.erase(name);
    if (!network.classifier) continue;
    const auto& own = std::string_view(part) == ".weight" ? network.classifier->weight : network.classifier->bias;
    weights.tensors[name] = own.detach();
  }
}

}  // namespace

at::Tensor adapt_input_conv(const at::Tensor& weight, std::int64_t in_chans) {
  const auto wide = weight.to(at::kFloat);
  if (in_chans == 1) {
    const auto channels = weight.size(1);
    if (channels <= 3) return wide.sum(1, /*keepdim=*/true).to(weight.scalar_type());
    if (channels % 3 == 0) return wide.unflatten(1, {channels / 3, 3}).sum(2).to(weight.scalar_type());
  } else if (in_chans == 3) {
    return weight;
  } else if (weight.size(1) == 3) {
    const auto repeated = wide.repeat({1, (in_chans + 2) / 3, 1, 1}).narrow(1, 0, in_chans);
    return (repeated * (3.0 / double(in_chans))).to(weight.scalar_type());
  }
  throw Error::mismatch(ErrorCode::weights, "first convolution's input channels", "3", std::to_string(weight.size(1)));
}

std::vector<std::string> load_weights(Network& network, StateDict weights, Fit fit) {
  network.rename_published(weights);
  const auto* classifier = dynamic_cast<const Classifier*>(&network);
  if (classifier != nullptr && fit == Fit::adapted) adapt(*classifier, weights);
  load_state_dict(network, weights);
  return weights.notes;
}

}  // namespace ichdet::models
