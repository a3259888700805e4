// Read a study, find the blood, write everything a reader wants to see.
#include <ichdet/io/study.hpp>
#include <ichdet/pipeline/detector.hpp>
#include <ichdet/pipeline/write_detection.hpp>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 4) return std::cerr << "usage: 01_detect STUDY BUNDLE OUT\n", 2;
  const auto study = ichdet::io::read_study(argv[1]);
  const ichdet::Detector detector(ichdet::Segmenter({ichdet::open_bundle(argv[2])}));
  const auto found = detector(study.stack);
  ichdet::write_detection(found, study, argv[3]);
  for (const auto& [label, ml] : found.result.volumes_ml) std::cout << label << ": " << ml << " mL\n";
}
