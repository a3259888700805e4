#include "shipped_models.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "ichdet/bundle/shipped.hpp"

namespace ichdet::cli {

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
