#include "ichdet/models/load.hpp"

#include "ichdet/core/error.hpp"
#include "ichdet/models/classifier.hpp"
#include "ichdet/models/create.hpp"
#include "ichdet/models/deepmedic.hpp"
#include "ichdet/models/load_weights.hpp"
#include "ichdet/models/segmentation_network.hpp"
#include "ichdet/nn/state_dict.hpp"

namespace ichdet::models {
namespace {

/// Input channels and outputs.
std::pair<std::int64_t, std::int64_t> ends(const Network& network) {
  if (const auto* deepmedic = dynamic_cast<const DeepMedicImpl*>(&network)) {
    return {deepmedic->options.input_channels, deepmedic->options.num_classes};
  }
  if (const auto* segmenter = dynamic_cast<const SegmentationNetwork*>(&network)) {
    return {segmenter->in_channels, segmenter->num_classes};
  }
  const auto& classifier = dynamic_cast<const Classifier&>(network);
  return {classifier.in_chans, classifier.num_classes()};
}

}  // namespace

std::shared_ptr<Network> load(const Bundle& bundle) {
  const auto subject = (bundle.folder / "bundle.json").string();
  const auto& spec = bundle.spec;
  auto network = create(spec.architecture, spec.options, subject);
  if (ends(*network) != std::pair(std::int64_t(spec.channels.size()), std::int64_t(spec.classes.size()))) {
    throw Error(ErrorCode::weights, subject +
                                        ": /architecture/options: the network's channels and classes contradict " +
                                        "/input/channels and /classes");
  }
  load_weights(*network, to_state_dict(bundle.weights));
  return network;
}

}  // namespace ichdet::models
