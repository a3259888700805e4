#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/explanation_figures.hpp"
#include "ichdet/io/png.hpp"

namespace ichdet {

/// Methods, each with its figures and their intervals; what is not defined is null. docs/attribution.md tells the
/// fields.
nlohmann::ordered_json to_json(const std::vector<evaluate::MethodFigures>& methods);
/// The same as a table in Markdown, a line for each method.
std::string markdown(const std::vector<evaluate::MethodFigures>& methods);
/// Every map's figures, a line each.
std::string csv(const std::vector<evaluate::MapOutcome>& outcomes);
/// Means and intervals of the figures that say where maps lie and what the model makes of them, side by side.
Image plot(const std::vector<evaluate::MethodFigures>& methods);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/explanation_figures_inl.hpp"
#endif
