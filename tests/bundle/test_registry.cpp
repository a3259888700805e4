#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "ichdet/bundle/cache.hpp"
#include "ichdet/bundle/registry.hpp"

using namespace ichdet;
using nlohmann::json;

namespace {

const std::string hash(64, 'a');

json small_registry() {
  const json file = {{"name", "m.pt"}, {"path", "x/m.pt"}, {"sha256", hash}, {"size_bytes", 10}};
  json licence = file;
  licence["role"] = "licence";
  licence["sha256"] = std::string(64, 'b');
  return {{"schema_version", 1},
          {"publications",
           {{"p",
             {{"version", "1"},
              {"description", "d"},
              {"licence", "MIT"},
              {"citation", "c"},
              {"intended_use", "u"},
              {"classes", {"a", "b"}},
              {"sources", {"https://example.org/"}},
              {"source_note", "n"},
              {"mirror_folder", "p"},
              {"converter", "blast_ct"},
              {"files", {licence}}}}}},
          {"bundles",
           {{{"name", "first"}, {"publication", "p"}, {"title", "t"}, {"weights", file}},
            {{"name", "second"}, {"publication", "p"}, {"title", "t"}, {"weights", file}}}},
          {"ensembles", {{{"name", "both"}, {"title", "t"}, {"members", {"first", "second"}}}}}};
}

std::string refusal(const json& registry) {
  try {
    parse_registry(registry.dump(), "r");
  } catch (const Error& e) {
    CHECK(e.code() == ErrorCode::weights);
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a registry is read, and an ensemble stands for its members") {
  const auto registry = parse_registry(small_registry().dump(), "r");
  REQUIRE(registry.entries.size() == 3);
  CHECK(registry.find("first").file(FileRole::weights).path == "x/m.pt");
  CHECK(registry.find("first").size_bytes() == 20);
  const auto members = registry.bundles_of(registry.find("both"));
  REQUIRE(members.size() == 2);
  CHECK(members[1]->name == "second");
  CHECK(registry.size_bytes(registry.find("both")) == 20);  // files that members share are downloaded once
}

TEST_CASE("a name that is not there is answered with the nearest one") {
  const auto registry = parse_registry(small_registry().dump(), "r");
  CHECK_THROWS_WITH_AS(registry.find("frist"),
                       "no bundle is called \"frist\"; did you mean \"first\"? (`ichdet models list` names them all)",
                       Error);
  CHECK_THROWS_WITH_AS(registry.find("entirely-different"),
                       "no bundle is called \"entirely-different\" (`ichdet models list` names them all)", Error);
}

TEST_CASE("a broken registry is refused by field") {
  auto r = small_registry();
  r["schema_version"] = 2;
  CHECK(refusal(r) == "r.schema_version: expected 1, found 2");
  r = small_registry();
  r["bundles"][1]["weights"]["sha256"] = "abc";
  CHECK(refusal(r) == "r.bundles[1].weights.sha256: expected 64 lower-case hexadecimal digits, found abc");
  r = small_registry();
  r["bundles"][0]["weights"]["name"] = "../m.pt";
  CHECK(refusal(r).starts_with("r.bundles[0].weights.name: expected letters"));
  r = small_registry();
  r["bundles"][1]["name"] = "first";
  CHECK(refusal(r) == "r.bundles[1].name: expected a new name, found first again");
  r = small_registry();
  r["publications"]["p"]["sources"][0] = "http://example.org/";
  CHECK(refusal(r) == "r.publications.p.sources: expected an address https://.../, found http://example.org/");
  r = small_registry();
  r["publications"]["p"].erase("licence");
  CHECK(refusal(r) == "r.publications.p: expected a field \"licence\", found none");
  r = small_registry();
  r["publications"]["p"]["files"] = json::array();
  CHECK(refusal(r).find("lacks a file") != std::string::npos);
  r = small_registry();
  r["ensembles"][0]["members"][0] = "third";
  CHECK(refusal(r) == "r.ensembles[0].members: expected names of bundles, found third");
  CHECK_THROWS_AS(parse_registry("{", "r"), Error);
}

TEST_CASE("the built-in registry names BLAST-CT v1, twelve different members") {
  const auto registry = builtin_registry();
  const auto members = registry.bundles_of(registry.find("blast-ct-v1-ensemble"));
  REQUIRE(members.size() == 12);
  CHECK(members.front()->name == "blast-ct-v1");
  std::set<std::string> hashes;
  for (const auto* member : members) hashes.insert(member->file(FileRole::weights).sha256);
  CHECK(hashes.size() == 12);
  CHECK(registry.find("blast-ct-v1").intended_use.find("Not for clinical use") != std::string::npos);
}

TEST_CASE("a bundle is found by path, or by name in the cache") {
  const auto registry = parse_registry(small_registry().dump(), "r");
  const auto cache = std::filesystem::temp_directory_path() / "ichdet_test_cache";
  std::filesystem::remove_all(cache);
  CHECK_THROWS_WITH_AS(resolve_bundle("first", registry, cache), doctest::Contains("run `ichdet models get first`"),
                       Error);
  CHECK_THROWS_WITH_AS(resolve_bundle("some/where", registry, cache), doctest::Contains("a folder with bundle.json"),
                       Error);

  for (const auto* name : {"first", "second"}) {
    std::filesystem::create_directories(cached_bundle_folder(cache, name));
    std::ofstream(cached_bundle_folder(cache, name) / "bundle.json") << "{}";
  }
  CHECK(resolve_bundle("first", registry, cache) == cached_bundle_folder(cache, "first"));
  CHECK(resolve_bundle(cache.string(), registry, cache) == cache);
  CHECK(resolve_bundles("both", registry, cache).size() == 2);
  CHECK_THROWS_WITH_AS(resolve_bundle("both", registry, cache), doctest::Contains("an ensemble of 2"), Error);
  std::filesystem::remove_all(cache);
}

TEST_CASE("one writer holds the cache at a time, and waiting can be stopped") {
  const auto cache = std::filesystem::temp_directory_path() / "ichdet_test_lock";
  {
    const CacheLock held(cache);
    std::stop_source stop;
    Progress progress{[&](std::string_view, double) { stop.request_stop(); }, stop.get_token()};
    CHECK_THROWS_WITH_AS(CacheLock(cache, progress), doctest::Contains("stopped on request"), Error);
  }
  const CacheLock again(cache);
  std::filesystem::remove_all(cache);
}
