#include "ichdet/train/distractors.hpp"

#include <array>
#include <set>

#include "../bundle/json_node.hpp"
#include "falls.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet::train {
namespace {

struct Distractor {
  const char* name;
  double DistractorOptions::*chance;
  void (*lay)(Canvas&, const falls::Keep&, Dice&);
};

/// In the order in which they are laid: the dark, the dense, bone, then what scanners add.
constexpr std::array distractors{
    Distractor{"infarct", &DistractorOptions::infarct, falls::infarct},
    Distractor{"hygroma", &DistractorOptions::hygroma, falls::hygroma},
    Distractor{"pineal", &DistractorOptions::pineal, falls::pineal},
    Distractor{"choroid_plexus", &DistractorOptions::choroid_plexus, falls::choroid_plexus},
    Distractor{"basal_ganglia", &DistractorOptions::basal_ganglia, falls::basal_ganglia},
    Distractor{"nodules", &DistractorOptions::nodules, falls::nodules},
    Distractor{"falx", &DistractorOptions::falx, falls::falx},
    Distractor{"tentorium", &DistractorOptions::tentorium, falls::tentorium},
    Distractor{"sinuses", &DistractorOptions::sinuses, falls::sinuses},
    Distractor{"arteries", &DistractorOptions::arteries, falls::arteries},
    Distractor{"inner_table", &DistractorOptions::inner_table, falls::inner_table},
    Distractor{"bone_partial", &DistractorOptions::bone_partial, falls::bone_partial},
    Distractor{"scalp", &DistractorOptions::scalp, falls::scalp},
    Distractor{"bright_cortex", &DistractorOptions::bright_cortex, falls::bright_cortex},
    Distractor{"bright_rim", &DistractorOptions::bright_rim, falls::bright_rim},
    Distractor{"bright_side", &DistractorOptions::bright_side, falls::bright_side},
    Distractor{"bands", &DistractorOptions::bands, falls::bands},
    Distractor{"streaks", &DistractorOptions::streaks, falls::streaks},
    Distractor{"motion", &DistractorOptions::motion, falls::motion},
};

}  // namespace

void distract(SliceStack& slab, const HeadAnatomy& anatomy, const Array3<std::uint8_t>& keep,
              const DistractorOptions& options, std::uint64_t seed) {
  if (!keep.empty() && keep.shape() != slab.hu.shape()) {
    throw Error(ErrorCode::shape, "keep: expected the slab's shape, found another");
  }
  Canvas canvas = look_at(slab, anatomy);
  if (!(canvas.cavity_mm2 > 0)) return;
  for (std::size_t i = 0; i < distractors.size(); ++i) {
    Dice dice(seed * 64 + i);
    if (dice.chance(options.*distractors[i].chance)) distractors[i].lay(canvas, keep, dice);
  }
}

DistractorOptions distractor_options(const nlohmann::json& object, const std::string& subject) {
  const bundle::Node node(object, subject, "");
  DistractorOptions options;
  std::set<std::string> known;
  for (const auto& distractor : distractors) {
    known.insert(distractor.name);
    const auto found = node.find(distractor.name);
    if (!found) continue;
    const double chance = found->number();
    found->expect(chance >= 0 && chance <= 1, "a probability, 0 to 1");
    options.*distractor.chance = chance;
  }
  node.only(known);
  return options;
}

}  // namespace ichdet::train
