#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace ichdet::nn {

/// Tensors derived from a network's weights (folded, packed), made once and shared by the graphs of all shapes.
class WeightCache {
 public:
  /// The tensor that `make` derives from `sources`, by the name of what it does.
  at::Tensor derive(const std::string& what, const std::vector<at::Tensor>& sources,
                    const std::function<at::Tensor()>& make) {
    std::vector<const void*> key;
    for (const auto& source : sources) key.push_back(source.defined() ? source.unsafeGetTensorImpl() : nullptr);
    const std::scoped_lock lock(mutex_);
    auto& entry = entries_[{what, key}];
    if (!entry.second.defined()) entry = {sources, make()};
    return entry.second;
  }

 private:
  std::mutex mutex_;
  /// The sources are kept: their addresses are the key.
  std::map<std::pair<std::string, std::vector<const void*>>, std::pair<std::vector<at::Tensor>, at::Tensor>> entries_;
};

}  // namespace ichdet::nn
