// Read a study, find the blood, write everything a reader wants to see.
#include <ichdet/io/study.hpp>
#include <ichdet/pipeline/open_detector.hpp>
#include <ichdet/pipeline/write_detection.hpp>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 3) return std::cerr << "usage: 01_detect STUDY OUT\n", 2;
  const auto study = ichdet::io::read_study(argv[1]);
  const auto detect = ichdet::open_detector();  // the model that comes with ichdet; {"blast-ct-v1"}: another
  const auto found = detect(study.stack);
  ichdet::write_detection(found, study, argv[2]);
  for (const auto& [label, ml] : found.result.volumes_ml) std::cout << label << ": " << ml << " mL\n";
}
