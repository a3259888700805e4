// Links every component. The bundle's name is one that cannot be had, so that the test needs no weights.
#include <cstdio>
#include <ichdet/bundle/bundle.hpp>
#include <ichdet/core/error.hpp>
#include <ichdet/pipeline/detector.hpp>
#include <ichdet/report/json.hpp>

int main() {
  try {
    const ichdet::Detector detector(ichdet::Segmenter({ichdet::open_bundle("no/such/bundle")}));
    return detector(ichdet::SliceStack({{{}}, 1, 1}, ichdet::Array3<float>({1, 1, 1}))).result.decision.positive ? 1
                                                                                                                 : 2;
  } catch (const ichdet::Error& e) {
    std::printf("error[%s]: %s\n", std::string(to_string(e.code())).c_str(), e.what());
    return std::string(e.what()).find("no/such/bundle") != std::string::npos ? 0 : 1;
  }
}
