#pragma once

#include <string>
#include <vector>

#include "patches.hpp"

namespace ichdet::pipeline {

/// ask_windows() with the model's own patch and views, for a model that looks again where a network found next to
/// nothing (S2): `painter` gets probabilities.
///
/// Each network answers by itself. Where all found at least `below_ml` of blood, the answer is the mean. Else each of
/// those that did not looks again, once for each of the rescue's views, at the whole image flipped; and the answers, of
/// all networks and all looks, are united: a voxel takes the probabilities of the answer in which another class is
/// furthest ahead of background. `assumptions` then says so. Holds a map of logits for each answer.
Effort ask_with_rescue(const Question& question, const Cells& cells, const Painter& painter,
                       std::vector<std::string>& assumptions, const Progress& progress);

}  // namespace ichdet::pipeline
