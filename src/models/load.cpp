#include "ichdet/models/load.hpp"

#include "ichdet/core/error.hpp"
#include "ichdet/models/deepmedic.hpp"
#include "ichdet/nn/state_dict.hpp"

namespace ichdet::models {

std::shared_ptr<Network> load(const Bundle& bundle) {
  const auto subject = (bundle.folder / "bundle.json").string();
  const auto& spec = bundle.spec;
  if (spec.architecture != "DeepMedic") {
    throw Error::mismatch(ErrorCode::weights, subject + ": /architecture/name", "DeepMedic", spec.architecture);
  }
  auto options = DeepMedicOptions::from_json(spec.options, subject);
  if (options.input_channels != std::int64_t(spec.channels.size()) ||
      options.num_classes != std::int64_t(spec.classes.size())) {
    throw Error(ErrorCode::weights, subject + ": /architecture/options: input_channels and num_classes contradict " +
                                        "/input/channels and /classes");
  }
  auto network = std::make_shared<DeepMedicImpl>(std::move(options));
  load_state_dict(*network, bundle.weights);
  network->eval();
  return network;
}

}  // namespace ichdet::models
