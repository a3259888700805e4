#include "ichdet/attribution/method.hpp"

#include "names.hpp"

namespace ichdet::attribution {
namespace {

constexpr Names<Method, 12> names{{{Method::grad_cam, "grad-cam"},
                                   {Method::grad_cam_plus_plus, "grad-cam++"},
                                   {Method::eigen_cam, "eigen-cam"},
                                   {Method::gradients, "gradients"},
                                   {Method::smooth_gradients, "smooth-gradients"},
                                   {Method::integrated_gradients, "integrated-gradients"},
                                   {Method::guided_ig, "guided-ig"},
                                   {Method::blur_ig, "blur-ig"},
                                   {Method::xrai, "xrai"},
                                   {Method::xrai_fast, "xrai-fast"},
                                   {Method::occlusion, "occlusion"},
                                   {Method::rise, "rise"}}};

}  // namespace

Method parse_attribution_method(const std::string& text) { return parse(names, "method", text); }
std::string to_string(Method method) { return name_of(names, method); }

std::vector<std::string> attribution_methods() {
  std::vector<std::string> found;
  for (const auto& [method, name] : names) found.emplace_back(name);
  return found;
}

bool takes_features(Method method) { return method <= Method::eigen_cam; }
bool takes_gradients(Method method) { return !takes_features(method) && method < Method::occlusion; }

}  // namespace ichdet::attribution
