#include "class_list.hpp"

namespace ichdet::bundle {

std::vector<ClassSpec> parse_classes(const Node& node) {
  std::vector<ClassSpec> classes;
  std::set<std::string> names;
  node.expect(node.list(2).size() <= 256, "a list of at most 256: a label is one byte");
  for (const auto& entry : node.list(2)) {
    entry.only({"name", "blood"});
    classes.push_back({entry.at("name").text(), entry.at("blood").truth()});
    entry.at("name").expect(names.insert(classes.back().name).second, "a name not given before");
  }
  return classes;
}

}  // namespace ichdet::bundle
