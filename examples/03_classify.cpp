// Ask a slice classifier about every slice, decide about the patient, see where the network looked. Stage by stage.
#include <ichdet/io/study.hpp>
#include <ichdet/pipeline/slice_classifier.hpp>
#include <ichdet/pipeline/write_classification.hpp>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 4) return std::cerr << "usage: 03_classify STUDY BUNDLE OUT\n", 2;
  const auto study = ichdet::io::read_study(argv[1]);
  const ichdet::SliceClassifier classifier({ichdet::open_bundle(argv[2])});
  const auto result = classifier(study.stack);
  for (const double percent : {5.0, 7.5, 10.0}) {  // the same scores under other rules
    auto rule = classifier.rule();
    rule.kind = ichdet::CaseRuleKind::percent;
    rule.percent = percent;
    std::cout << percent << " %: " << ichdet::decide(result.slices, rule).rule << "\n";
  }
  const auto maps = classifier.heat_maps(study.stack, ichdet::slices_to_show(result, 12));
  ichdet::write_classification(study.stack, result, maps, argv[3]);
}
