#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/figures.hpp"
#include "ichdet/evaluate/model_choice.hpp"

namespace ichdet {

/// What is not defined is null. docs/training.md tells the fields.
nlohmann::ordered_json to_json(const evaluate::Figures& figures);
nlohmann::ordered_json to_json(const evaluate::ModelChoice& choice);

/// The figures, with their intervals, as tables in Markdown; the worst cases by name.
std::string markdown(const evaluate::Figures& figures);
/// The same for what `to_json(figures)` gave, read back from a file. Throws Error(io) where it is not that.
std::string figures_markdown(const nlohmann::ordered_json& figures);
std::string markdown(const evaluate::ModelChoice& choice);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/figures_inl.hpp"
#endif
