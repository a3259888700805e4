#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/evaluation.hpp"

namespace ichdet {

/// Every figure but the curves, in a fixed order; what is not defined is null. docs/evaluation.md tells the fields.
nlohmann::ordered_json to_json(const evaluate::Evaluation& evaluation);

/// The figures as tables of text for people, ending in a newline. What is not defined is "-".
std::string summary(const evaluate::Evaluation& evaluation);

struct PageOptions {
  std::string title = "Evaluation";
  std::string predictions, truth;  ///< what was compared, for the page's head
  std::string made_by;             ///< program and version, at its foot
};

/// One HTML page, complete in itself (no script, nothing loaded): the tables, and as inline SVG the ROC and PR curves,
/// reliability diagrams, confusion matrices, and Bland and Altman's plots of volumes.
std::string html_page(const evaluate::Evaluation& evaluation, const PageOptions& options = {});

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/evaluation_html_inl.hpp"
#include "ichdet/impl/report/evaluation_json_inl.hpp"
#include "ichdet/impl/report/evaluation_text_inl.hpp"
#endif
