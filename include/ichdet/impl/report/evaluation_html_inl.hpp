#pragma once

#include <algorithm>
#include <string_view>

#include "ichdet/impl/report/evaluation_shared.hpp"
#include "ichdet/impl/report/page_style.hpp"
#include "ichdet/report/evaluation.hpp"
#include "ichdet/report/evaluation_plots.hpp"
#include "ichdet/report/svg_plot.hpp"

namespace ichdet {

namespace detail {

using svg::escaped;

/// Every model once, in the order of its appearance: its place is the number of its colour.
ICHDET_INLINE std::vector<std::string> model_names(const evaluate::Evaluation& evaluation) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const auto& model : evaluation.models) add(model.model);
  for (const auto& volume : evaluation.volumes) add(volume.model);
  return names;
}

ICHDET_INLINE std::size_t color_of(const std::string& name, const std::vector<std::string>& names) {
  return std::size_t(std::find(names.begin(), names.end(), name) - names.begin());
}

/// As `fixed`, with a true minus.
ICHDET_INLINE std::string figure_text(double value, int decimals = 3) {
  const auto text = fixed(value, decimals);
  if (text == "-") return "&ndash;";
  return text.front() == '-' ? "&minus;" + text.substr(1) : text;
}

ICHDET_INLINE std::string span_html(const evaluate::Interval& interval, int decimals = 3) {
  if (std::isnan(interval.low) || std::isnan(interval.high)) return "&ndash;";
  return figure_text(interval.low, decimals) + " to " + figure_text(interval.high, decimals);
}

ICHDET_INLINE std::string swatch(std::size_t color) {
  return "<i class=\"swatch\" style=\"background:" + svg::model_color(color) + "\"></i>";
}

ICHDET_INLINE std::string estimate_cell(const evaluate::Estimate& estimate) {
  std::string cell = "<td><b>" + figure_text(estimate.value, 3) + "</b>";
  if (estimate.exact) cell += "<small>" + span_html(*estimate.exact) + "</small>";
  return cell + "<small>" + (estimate.exact ? "" : "&nbsp;</small><small>") + span_html(estimate.bootstrap.interval) +
         "</small></td>";
}

ICHDET_INLINE std::string figure(const std::string& title, const std::string& aside, const std::string& picture) {
  return "<figure><figcaption>" + title + (aside.empty() ? "" : " <span>" + aside + "</span>") + "</figcaption>\n" +
         picture + "</figure>\n";
}

ICHDET_INLINE std::string headings(const std::vector<evaluate::Estimate>& estimates) {
  std::string html;
  for (const auto& estimate : estimates) html += "<th>" + std::string(title_of(estimate.name)) + "</th>";
  return html;
}

/// One row for each model and threshold.
ICHDET_INLINE std::string rates_table(const svg::Models& models) {
  if (models.front().result->thresholds.empty()) return "";
  std::string html =
      "<div class=\"scroll\"><table><tr><th>model</th><th>positive "
      "from</th><th>TP</th><th>FP</th><th>TN</th><th>FN</th>" +
      headings(models.front().result->thresholds.front().rates) + "</tr>\n";
  for (const auto& [model, color] : models) {
    for (const auto& at : model->thresholds) {
      html += "<tr><td>" + swatch(color) + escaped(model->model) + "</td><td>" + svg::number(at.threshold) + "</td>";
      for (const auto count :
           {at.counts.true_positives, at.counts.false_positives, at.counts.true_negatives, at.counts.false_negatives}) {
        html += "<td>" + std::to_string(count) + "</td>";
      }
      for (const auto& rate : at.rates) html += estimate_cell(rate);
      html += "</tr>\n";
    }
  }
  return html + "</table></div>\n";
}

ICHDET_INLINE std::string areas_table(const svg::Models& models) {
  std::string html = "<div class=\"scroll\"><table><tr><th>model</th>" + headings(models.front().result->areas) +
                     "<th>ECE</th><th title=\"positive at 0.6 or less, negative at 0.4 or more\">difficult "
                     "cases</th></tr>\n";
  for (const auto& [model, color] : models) {
    html += "<tr><td>" + swatch(color) + escaped(model->model) + "</td>";
    for (const auto& area : model->areas) html += estimate_cell(area);
    html += "<td><b>" + figure_text(model->calibration.expected_error) + "</b></td><td>" +
            std::to_string(model->difficult.size()) + "</td></tr>\n";
  }
  return html + "</table></div>\n";
}

/// The most resamples that any figure of the class could not use.
ICHDET_INLINE std::int64_t degenerate_resamples(const svg::Models& models) {
  std::int64_t most = 0;
  const auto look = [&](const std::vector<evaluate::Estimate>& estimates) {
    for (const auto& estimate : estimates) most = std::max(most, estimate.bootstrap.degenerate);
  };
  for (const auto& model : models) {
    look(model.result->areas);
    for (const auto& at : model.result->thresholds) look(at.rates);
  }
  return most;
}

ICHDET_INLINE std::string pairs_section(const evaluate::Evaluation& evaluation, const std::string& class_name,
                                        const std::string& percent) {
  std::string areas, decisions;
  for (const auto& pair : evaluation.pairs) {
    if (pair.class_name != class_name) continue;
    const auto names = "<tr><td>" + escaped(pair.a) + " &minus; " + escaped(pair.b) + "</td>";
    areas += names + "<td>" + figure_text(pair.delong.difference, 3) + "</td><td>" + span_html(pair.delong.interval) +
             "</td><td>" + span_html(pair.difference.interval) + "</td><td>" + figure_text(pair.delong.z, 2) +
             "</td><td>" + escaped(p_text(pair.delong.p_value)) + "</td></tr>\n";
    for (std::size_t t = 0; t < pair.mcnemar.size(); ++t) {
      const auto& m = pair.mcnemar[t];
      decisions += "<tr><td>" + escaped(pair.a) + ", " + escaped(pair.b) + "</td><td>" +
                   svg::number(evaluation.options.thresholds[t]) + "</td><td>" + std::to_string(m.only_a) +
                   "</td><td>" + std::to_string(m.only_b) + "</td><td>" + escaped(p_text(m.exact_p)) + "</td><td>" +
                   figure_text(m.chi2, 2) + "</td><td>" + escaped(p_text(m.chi2_p)) + "</td></tr>\n";
    }
  }
  if (areas.empty()) return "";
  std::string html =
      "<h3>Models compared</h3>\n<div class=\"scroll\"><table><tr><th>ROC areas</th><th>difference</th><th>DeLong " +
      percent + "</th><th>bootstrap " + percent + "</th><th>z</th><th>p (DeLong)</th></tr>\n" + areas +
      "</table></div>\n";
  if (decisions.empty()) return html;
  return html +
         "<p></p><div class=\"scroll\"><table><tr><th>decisions</th><th>positive from</th><th>only the first right</th>"
         "<th>only the second right</th><th>exact p</th><th>&chi;&sup2;</th><th>p (McNemar)</th></tr>\n" +
         decisions + "</table></div>\n";
}

ICHDET_INLINE std::string class_section(const evaluate::Evaluation& evaluation, const svg::Models& models,
                                        const std::string& percent) {
  const auto& first = *models.front().result;
  std::string html =
      "<h2>" + escaped(first.class_name) + "</h2>\n<p class=\"lead\">" + std::to_string(first.positives) +
      " positive and " + std::to_string(first.negatives) + " negative</p>\n" + rates_table(models) + "<p></p>" +
      areas_table(models) + "<p class=\"lead\"><small>Below each figure its " + percent +
      " intervals: Clopper and Pearson&rsquo;s (of ROC areas DeLong&rsquo;s), then the bootstrap&rsquo;s.";
  if (const auto most = degenerate_resamples(models); most > 0) {
    html += " Up to " + std::to_string(most) + " resamples were degenerate (no case to count), and left out.";
  }
  std::string key, reliability, matrices;
  for (const auto& [model, color] : models) {
    const auto name = escaped(model->model);
    if (models.size() > 1) key += "&ensp;" + swatch(color) + name;
    reliability += figure("Reliability", name, svg::reliability_plot(*model, color));
    for (const auto& at : model->thresholds) {
      matrices += figure("Confusion", name + ", positive from " + svg::number(at.threshold) + " on",
                         svg::confusion_plot(at, color));
    }
  }
  const auto row = [](const std::string& figures) { return "<div class=\"figures\">" + figures + "</div>\n"; };
  return html + "</small></p>\n" +
         row(figure("ROC", key, svg::roc_plot(models)) + figure("Precision and recall", key, svg::pr_plot(models))) +
         row(reliability) + row(matrices) + pairs_section(evaluation, first.class_name, percent);
}

ICHDET_INLINE std::string volumes_section(const evaluate::Evaluation& evaluation, const std::vector<std::string>& names,
                                          const std::string& percent) {
  if (evaluation.volumes.empty()) return "";
  std::string rows, figures;
  for (const auto& volume : evaluation.volumes) {
    const auto& a = volume.agreement;
    const auto color = color_of(volume.model, names);
    rows += "<tr><td>" + swatch(color) + escaped(volume.model) + "</td><td>" + std::to_string(a.cases) + "</td><td>" +
            figure_text(a.bias, 2) + "</td><td>" + span_html(a.bias_interval, 2) + "</td><td>" +
            figure_text(a.standard_deviation, 2) + "</td><td>" + span_html(a.limits, 2) + "</td><td>" +
            figure_text(a.mean_absolute_error, 2) + "</td><td>" + std::to_string(volume.left_out) + "</td></tr>\n";
    if (a.cases > 0)
      figures += figure("Bland&ndash;Altman", escaped(volume.model), svg::bland_altman_plot(volume, color));
  }
  return "<h2>Volumes</h2>\n<div class=\"scroll\"><table><tr><th>model</th><th>cases</th><th>bias, mL</th><th>" +
         percent +
         "</th><th>SD, mL</th><th>limits of agreement, mL</th><th>mean |error|, mL</th><th>not measured</th></tr>\n" +
         rows + "</table></div>\n<div class=\"figures\">" + figures + "</div>\n";
}

ICHDET_INLINE std::string warnings(const evaluate::Evaluation& evaluation) {
  std::string html;
  for (const auto& [ids, file] :
       {std::pair(&evaluation.only_in_truth, "truth"), std::pair(&evaluation.only_in_predictions, "predictions")}) {
    if (ids->empty()) continue;
    html += "<p>" + std::to_string(ids->size()) + " only in the " + file + ", left out: " + escaped(joined(*ids, 200)) +
            "</p>";
  }
  for (const auto& note : evaluation.notes) html += "<p>" + escaped(note) + "</p>";
  return html.empty() ? "" : "<div class=\"warning\">" + html + "</div>\n";
}

}  // namespace detail

ICHDET_INLINE std::string html_page(const evaluate::Evaluation& evaluation, const PageOptions& options) {
  using detail::escaped;
  const auto& bootstrap = evaluation.options.bootstrap;
  const auto percent = detail::percent_text(bootstrap.confidence);
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<title>" +
      escaped(options.title) + "</title>\n<style>" + std::string(detail::page_style) +
      "</style>\n</head>\n<body>\n<main>\n<h1>" + escaped(options.title) + "</h1>\n<p class=\"lead\">";
  if (!options.predictions.empty()) {
    html += escaped(options.predictions) + " against " + escaped(options.truth) + ": ";
  }
  html += detail::rows_text(evaluation) + "</p>\n" + detail::warnings(evaluation);
  const auto names = detail::model_names(evaluation);
  svg::Models models;
  for (std::size_t i = 0; i < evaluation.models.size(); ++i) {
    const auto& model = evaluation.models[i];
    models.push_back({&model, detail::color_of(model.model, names)});
    if (i + 1 < evaluation.models.size() && evaluation.models[i + 1].class_name == model.class_name) continue;
    html += detail::class_section(evaluation, models, percent);
    models.clear();
  }
  html += detail::volumes_section(evaluation, names, percent);
  html +=
      "<footer><p>A case is called positive from the threshold on. The bootstrap draws patients with all of their "
      "rows: " +
      std::to_string(bootstrap.resamples) + " resamples, seed " + std::to_string(bootstrap.seed) +
      ", percentiles. Whiskers in reliability diagrams are Wilson&rsquo;s 95&nbsp;% intervals, bars the cases of each "
      "bin. Dots on curves are the thresholds.</p>\n<p>" +
      escaped(options.made_by) + (options.made_by.empty() ? "" : ". ") + "Not for clinical use.</p></footer>\n";
  return html + "</main>\n</body>\n</html>\n";
}

}  // namespace ichdet
