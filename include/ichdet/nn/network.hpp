#pragma once

#include <torch/nn/module.h>

namespace ichdet {

struct StateDict;

/// A network as its authors wrote it, in evaluation or in training: every network of models/ is one.
///
/// It is split where attribution and fusion want to look in, since modules of LibTorch's C++ front end have no hooks.
class Network : public torch::nn::Module {
 public:
  /// What the head decides from.
  virtual at::Tensor forward_features(const at::Tensor& x) = 0;
  /// Features to logits.
  virtual at::Tensor forward_head(const at::Tensor& features) = 0;

  /// Published files' names to ours, where those differ.
  virtual void rename_published(StateDict&) const {}

  at::Tensor forward(const at::Tensor& x) { return forward_head(forward_features(x)); }
};

}  // namespace ichdet
