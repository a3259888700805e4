#pragma once

#include <string>

#include "ichdet/nn/prepare.hpp"
#include "ichdet/pipeline/segmenter.hpp"

// Arguments that several classes take.
namespace ichdet::python {

inline PrepareOptions network_options(int threads, const std::string& precision, const std::string& engine) {
  PrepareOptions options;
  options.threads = threads;
  options.precision = parse_precision(precision);
  options.engine = parse_engine(engine);
  return options;
}

inline SegmenterOptions segmenter_options(int threads, const std::string& precision, const std::string& engine,
                                          const std::string& region) {
  SegmenterOptions options;
  options.network = network_options(threads, precision, engine);
  options.region = parse_search_region(region);
  return options;
}

}  // namespace ichdet::python
