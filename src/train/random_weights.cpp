#include <unistd.h>

#include <filesystem>

#include "ichdet/core/error.hpp"
#include "ichdet/models/load.hpp"
#include "ichdet/nn/network.hpp"
#include "ichdet/nn/state_dict.hpp"
#include "ichdet/train/judge_explanations.hpp"
#include "pipeline/untrained.hpp"

namespace ichdet::train {

Bundle with_random_weights(const Bundle& bundle, std::uint64_t seed) {
  const auto network = models::load(bundle);
  pipeline::randomise(*network, bundle.spec, seed);
  auto name = (std::filesystem::temp_directory_path() / "ichdet-random-XXXXXX").string();
  const int handle = ::mkstemp(name.data());
  if (handle < 0) throw Error(ErrorCode::io, name + ": cannot be made");
  ::close(handle);
  struct Removed {
    std::filesystem::path file;
    ~Removed() {
      std::error_code ignored;
      std::filesystem::remove(file, ignored);
    }
  } const removed{name};
  save_state_dict(*network, name);
  auto random = bundle;
  random.weights = SafeTensors(name);  // mapped: it outlives the file's name
  return random;
}

}  // namespace ichdet::train
