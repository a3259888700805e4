#pragma once

#include "ichdet/train/examples.hpp"

namespace ichdet::train {

/// The logits that a loss reads: all heads where it is deep, else one.
std::vector<at::Tensor> heads_of(Network& network, const at::Tensor& input, bool deep);

/// Judges a network by examples that are always the same: those of the validation split as they are, and where asked
/// for painted and augmented ones of it. Values: "validation/loss", "validation/auc" (of slices or exams),
/// "validation/dice" (of blood, mean over studies that show it; of patches, over patches), and of the painted ones
/// "painted/auc", "painted/dice" (over those that show blood), "painted/sensitivity" (at specificity 0.95). `workers`
/// threads prepare them. Throws Error(options) where the split cannot show what the weights are chosen by.
Validation make_validation(const std::vector<TrainingStudy>& studies, const ModelSpec& model,
                           const TrainingSpec& training, int workers);

}  // namespace ichdet::train
