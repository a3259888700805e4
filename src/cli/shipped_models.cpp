#include "shipped_models.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/ensemble_spec.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet::cli {

ShippedModel shipped_model(const std::string& name) {
  const auto folder = find_shipped(name);
  if (!folder) throw Error(ErrorCode::weights, name + ": no such bundle came with ichdet");
  ShippedModel model{name, "", "", "", {}, *folder, {*folder}};
  if (const auto file = find_ensemble(name)) {
    model.bundles.clear();
    for (const auto& member : read_ensemble(*file).members) {
      model.members.push_back(member.bundle);
      model.bundles.insert(model.bundles.end(), member.folders.begin(), member.folders.end());
    }
  }
  std::vector<std::string> versions, licences, titles;
  const auto add = [](std::vector<std::string>& texts, const std::string& more) {
    if (!more.empty() && std::ranges::find(texts, more) == texts.end()) texts.push_back(more);
  };
  for (const auto& bundle : open_bundles(model.bundles)) {
    add(versions, bundle.spec.version);
    add(licences, bundle.spec.licence);
    add(titles, to_string(bundle.spec.task) + " (" + bundle.spec.architecture + ")");
    if (bundle.spec.untrained) add(titles, "UNTRAINED");
  }
  const auto join = [](const std::vector<std::string>& texts, const char* between) {
    std::string text;
    for (const auto& one : texts) text += (text.empty() ? "" : between) + one;
    return text;
  };
  model.version = join(versions, " + ");
  model.licence = join(licences, " AND ");
  model.title = join(titles, ", ");
  return model;
}

std::vector<ShippedModel> shipped_models() {
  std::vector<ShippedModel> models;
  for (const auto& name : shipped_names()) models.push_back(shipped_model(name));
  return models;
}

void show_shipped(const std::string& name, const Context& context) {
  const auto model = shipped_model(name);
  if (context.json) {
    const nlohmann::json details{{"name", model.name},       {"version", model.version},
                                 {"title", model.title},     {"licence", model.licence},
                                 {"members", model.members}, {"folders", {model.folder.string()}}};
    std::printf("%s\n", details.dump(2).c_str());
    return;
  }
  std::printf("name          %s\nversion       %s\nwhat          %s\nlicence       %s\nfolder        %s\n",
              model.name.c_str(), model.version.c_str(), model.title.c_str(), model.licence.c_str(),
              model.folder.c_str());
}

}  // namespace ichdet::cli
