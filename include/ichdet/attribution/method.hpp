#pragma once

#include <string>
#include <vector>

namespace ichdet::attribution {

/// The ways there are to ask a network what it looked at.
enum class Method {
  // Where its last feature maps speak for the target: coarse and quick; a network in two parts. grad_cam.hpp
  grad_cam,
  grad_cam_plus_plus,
  eigen_cam,
  // What each voxel does to the score, nearby. gradients.hpp
  gradients,
  smooth_gradients,
  // What each voxel contributes to the score, on a path from a baseline. integrated_gradients.hpp, guided_ig.hpp,
  // blur_ig.hpp
  integrated_gradients,
  guided_ig,
  blur_ig,
  // Regions, in the order of what they contribute by integrated gradients. xrai.hpp
  xrai,
  xrai_fast,
  // What the score does when parts are hidden; scores alone. occlusion.hpp, rise.hpp
  occlusion,
  rise,
};

/// grad-cam, grad-cam++, eigen-cam, gradients, smooth-gradients, integrated-gradients, guided-ig, blur-ig, xrai,
/// xrai-fast, occlusion, rise. Throws Error(options) that lists them.
Method parse_attribution_method(const std::string& text);
std::string to_string(Method method);
/// All names, in that order.
std::vector<std::string> attribution_methods();

/// What a method takes of a network.
/// @{
bool takes_features(Method method);   ///< features and head
bool takes_gradients(Method method);  ///< Explained::gradients
/// @}

}  // namespace ichdet::attribution
