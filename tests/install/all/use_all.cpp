// Links every component. The bundle's name is one that cannot be had, so that the test needs no weights.
#include <cstdio>
#include <ichdet/core/error.hpp>
#include <ichdet/pipeline/detector.hpp>
#include <ichdet/report/json.hpp>

int main() {
  try {
    const ichdet::Detector detector(ichdet::Segmenter::load({"no/such/bundle"}));
    return 1;
  } catch (const ichdet::Error& e) {
    std::printf("error[%s]: %s\n", std::string(to_string(e.code())).c_str(), e.what());
    return std::string(e.what()).find("no/such/bundle") != std::string::npos ? 0 : 1;
  }
}
