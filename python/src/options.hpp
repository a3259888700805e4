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

/// A bundle's name or folder, one that was opened, or a network of one's own.
using MemberArgument = std::variant<Path, Bundle, Member>;
/// One or several.
using MembersArgument = std::variant<Path, Bundle, Member, std::vector<MemberArgument>>;

/// The bundles that a name means: several of an ensemble.
inline std::vector<Member> members_of(const Path& name) {
  return ichdet::members_of(open_bundles(resolve_bundles(name.string())));
}
inline std::vector<Member> members_of(const Bundle& bundle) { return {Member(bundle)}; }
inline std::vector<Member> members_of(const Member& member) { return {member}; }
inline std::vector<Member> members_of(const std::vector<MemberArgument>& given) {
  std::vector<Member> all;
  for (const auto& one : given) {
    const auto some = std::visit([](const auto& what) { return members_of(what); }, one);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}
inline std::vector<Member> open_members(const MembersArgument& given) {
  return std::visit([](const auto& what) { return members_of(what); }, given);
}

template <class Model>
std::vector<std::string> class_names(const Model& model) {
  std::vector<std::string> names;
  for (const auto& known : model.spec().classes) names.push_back(known.name);
  return names;
}

}  // namespace ichdet::python
