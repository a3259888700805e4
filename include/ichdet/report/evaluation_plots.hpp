#pragma once

#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/evaluation.hpp"

/// An evaluation's diagrams, each an SVG element for a page with the styles of `html_page`.
namespace ichdet::svg {

/// A model and the number of its colour, which should be the same in every diagram of a page.
struct ColoredModel {
  const evaluate::ModelResult* result;
  std::size_t color;
};
using Models = std::vector<ColoredModel>;  ///< of one class

/// Okabe and Ito's colours, darkened where they are faint on white; the eighth is the first again.
std::string model_color(std::size_t color);

/// Both with the models' curves and a dot where each threshold lies.
std::string roc_plot(const Models& models);
std::string pr_plot(const Models& models);
/// Frequency against mean probability in each bin with Wilson's 95 % intervals; below, how many cases each bin has.
std::string reliability_plot(const evaluate::ModelResult& model, std::size_t color);
/// Counts, and their parts of the positive and of the negative cases.
std::string confusion_plot(const evaluate::ThresholdResult& result, std::size_t color);
/// Differences against means, mL, with bias, limits of agreement and their intervals.
std::string bland_altman_plot(const evaluate::VolumeResult& volume, std::size_t color);

}  // namespace ichdet::svg

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/evaluation_plots_inl.hpp"
#endif
