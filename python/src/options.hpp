#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ichdet/bundle/cache.hpp"
#include "ichdet/nn/prepare.hpp"
#include "ichdet/pipeline/member.hpp"
#include "ichdet/pipeline/segmenter.hpp"

// Arguments that several classes take.
namespace ichdet::python {

using Path = std::filesystem::path;

inline PrepareOptions network_options(int threads, const std::string& precision, const std::string& engine,
                                      const std::string& device = "cpu", double memory_mib = 0,
                                      const Path& cache_folder = {}) {
  PrepareOptions options;
  options.threads = threads;
  options.precision = parse_precision(precision);
  options.engine = parse_engine(engine);
  options.device = device;
  options.memory_mib = memory_mib;
  options.cache_folder = cache_folder;
  return options;
}

inline SegmenterOptions segmenter_options(int threads, const std::string& precision, const std::string& engine,
                                          const std::string& region) {
  SegmenterOptions options;
  options.network = network_options(threads, precision, engine);
  options.region = parse_search_region(region);
  return options;
}

/// A bundle's name or folder, or a network of one's own.
using MemberArgument = std::variant<Path, Member>;
/// One or several.
using MembersArgument = std::variant<Path, Member, std::vector<MemberArgument>>;

inline std::vector<Member> open_members(const MembersArgument& given) {
  std::vector<Member> members;
  const auto add_bundles = [&](const Path& name) {
    for (const auto& folder : resolve_bundles(name.string())) members.emplace_back(open_bundle(folder));
  };
  if (const auto* name = std::get_if<Path>(&given)) {
    add_bundles(*name);
  } else if (const auto* own = std::get_if<Member>(&given)) {
    members.push_back(*own);
  } else {
    for (const auto& one : std::get<std::vector<MemberArgument>>(given)) {
      if (const auto* own = std::get_if<Member>(&one)) {
        members.push_back(*own);
      } else {
        add_bundles(std::get<Path>(one));
      }
    }
  }
  return members;
}

template <class Model>
std::vector<std::string> class_names(const Model& model) {
  std::vector<std::string> names;
  for (const auto& known : model.spec().classes) names.push_back(known.name);
  return names;
}

}  // namespace ichdet::python
