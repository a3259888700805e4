#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace ichdet::nn {

/// Tensors derived from a network's weights (folded, packed), shared by the graphs of all shapes.
///
/// It owns none of them: a folded weight that was packed goes as soon as its graph does, and what runs holds one copy.
class WeightCache {
 public:
  /// The tensor that `make` derives from `sources`, by the name of what it does. Two calls give the same tensor as long
  /// as somebody holds it.
  at::Tensor derive(const std::string& what, const std::vector<at::Tensor>& sources,
                    const std::function<at::Tensor()>& make);

  /// How many derived tensors somebody holds.
  std::size_t size() const;

 private:
  using Weak = c10::weak_intrusive_ptr<at::TensorImpl, c10::UndefinedTensorImpl>;
  struct Entry {
    std::vector<at::Tensor> roots;  ///< the weights it was made of in the end; kept, as their addresses name it
    Weak made;
  };

  std::string name_of(const at::Tensor& source, std::vector<at::Tensor>& roots) const;

  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
  std::map<const void*, std::string> names_;  ///< of derived tensors, by their address
};

}  // namespace ichdet::nn
