#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/core/results.hpp"
#include "ichdet/nn/prepare.hpp"

namespace ichdet {

/// One network of those that answer together: a bundle's, or one of your own, which is any callable - a LibTorch module
/// of another program, a TorchScript one, a function of Python - with a spec that says what it reads and answers.
struct Member {
  explicit Member(Bundle bundle);
  /// `spec` may be a bundle's; name and version stand for the network in results.
  Member(ModelSpec spec, Forward forward);

  ModelSpec spec;
  BundleIdentity identity;
  std::optional<Bundle> bundle;
  /// Of one's own: float32 on the CPU, (image, channel, row, column) or (image, channel, z, y, x), to logits of the
  /// spec's classes. It is called as it is, from several threads at once where the pipeline is.
  Forward forward;
  /// Of slice classifiers of one's own: `forward` in two parts, for class activation maps. May be empty.
  Forward features, head;
};

std::vector<Member> members_of(const std::vector<Bundle>& bundles);

/// The spec of a network of one's own from what `bundle.json` would say, but for what is about stored weights:
/// `schema`, `version`, `architecture`, `provenance`, `licence`, `training_data`, `metrics` and `weights` may be left
/// out. Throws as parse_spec does.
ModelSpec parse_own_spec(nlohmann::json json, const std::string& subject);

}  // namespace ichdet
