#pragma once

#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/agreement.hpp"
#include "ichdet/evaluate/bootstrap.hpp"
#include "ichdet/evaluate/delong.hpp"
#include "ichdet/evaluate/outcome.hpp"

namespace ichdet::evaluate {

struct ModelChoiceOptions {
  double threshold = 0.5;   ///< a slice is called positive from this probability on
  double tolerance = 0.01;  ///< no figure of a model that replaces another may be lower by more than this
  BootstrapOptions bootstrap;
};

/// A figure of two models on the same studies.
struct FigurePair {
  std::string name;
  double before = undefined, after = undefined;
  BootstrapInterval difference;  ///< of after - before, patients drawn in pairs
};

/// Which of two versions of a model to keep, and why.
struct ModelChoice {
  std::vector<FigurePair> figures;    ///< dice, slice_auc, sensitivity, specificity, as `Figures` defines them
  DelongTest slice_auc;               ///< a: after, b: before; as if slices were independent
  McNemar with_blood, without_blood;  ///< decisions about slices; a: after, b: before; likewise
  bool keep_new = false;
  std::string reason;  ///< one sentence
};

/// Compares a new version with the one before it on a fixed validation set, by S2's four figures (VIOLA-AI: versions
/// are chosen "based on key performance metrics such as Dice, AUC, sensitivity, and specificity" on the local hold-out
/// set). S2 gives no rule for figures that disagree; ours is careful: the new version is kept where the figures' mean
/// is higher, none is lower by more than `tolerance`, and no difference's interval lies wholly below 0. Figures that
/// cannot be told of either are passed over.
///
/// Both lists hold the same studies, in any order. Throws Error(options) that names a study which only one has, or
/// whose slices or truth differ.
ModelChoice choose_model(const std::vector<StudyOutcome>& before, const std::vector<StudyOutcome>& after,
                         const ModelChoiceOptions& options = {});

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/model_choice_inl.hpp"
#endif
