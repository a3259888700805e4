#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "ichdet/impl/report/evaluation_shared.hpp"
#include "ichdet/report/evaluation_plots.hpp"
#include "ichdet/report/svg_plot.hpp"

namespace ichdet::svg {

namespace detail {

using ichdet::detail::fixed;

ICHDET_INLINE std::string stroke(std::size_t color, double width = 2) {
  return "stroke:" + model_color(color) + ";stroke-width:" + number(width) + ";stroke-linejoin:round";
}

ICHDET_INLINE std::string dot(std::size_t color) {
  return "fill:#fff;stroke:" + model_color(color) + ";stroke-width:2";
}

ICHDET_INLINE std::string share(const evaluate::Proportion& p) {
  return p.trials > 0 ? fixed(100 * p.value(), 1) + " %" : "-";
}

}  // namespace detail

ICHDET_INLINE std::string model_color(std::size_t color) {
  constexpr std::array<const char*, 7> colors{"#0072b2", "#d55e00", "#009e73", "#b0609a",
                                              "#b58900", "#3a9bd0", "#444444"};
  return colors[color % colors.size()];
}

ICHDET_INLINE std::string roc_plot(const Models& models) {
  Plot plot({0, 1, "1 \xE2\x88\x92 specificity (false positive rate)"}, {0, 1, "sensitivity (true positive rate)"},
            "ROC curves", 518, 430);
  plot.segment(0, 0, 1, 1, "stroke:#aab2bb;stroke-dasharray:4 4");
  for (auto m = models.rbegin(); m != models.rend(); ++m) {
    plot.line(m->result->roc.false_positive_rate, m->result->roc.true_positive_rate, detail::stroke(m->color));
  }
  for (const auto& [model, color] : models) {
    for (const auto& at : model->thresholds) {
      plot.circle(1 - at.counts.specificity().value(), at.counts.sensitivity().value(), 4, detail::dot(color),
                  model->model + ", from " + number(at.threshold) + " on");
    }
  }
  return plot.str();
}

ICHDET_INLINE std::string pr_plot(const Models& models) {
  Plot plot({0, 1, "recall (sensitivity)"}, {0, 1, "precision (PPV)"}, "Precision-recall curves", 518, 430);
  const auto& first = *models.front().result;
  const double prevalence =
      double(first.positives) / double(std::max<std::int64_t>(1, first.positives + first.negatives));
  plot.segment(0, prevalence, 1, prevalence, "stroke:#aab2bb;stroke-dasharray:4 4");
  for (auto m = models.rbegin(); m != models.rend(); ++m) {
    std::vector<double> recall, precision;  // steps, whose area is the average precision
    const auto& curve = m->result->pr;
    for (std::size_t i = 1; i < curve.recall.size(); ++i) {
      recall.insert(recall.end(), {curve.recall[i - 1], curve.recall[i]});
      precision.insert(precision.end(), {curve.precision[i], curve.precision[i]});
    }
    plot.line(recall, precision, detail::stroke(m->color));
  }
  for (const auto& [model, color] : models) {
    for (const auto& at : model->thresholds) {
      plot.circle(at.counts.sensitivity().value(), at.counts.positive_predictive_value().value(), 4, detail::dot(color),
                  model->model + ", from " + number(at.threshold) + " on");
    }
  }
  plot.text(0, prevalence, "prevalence " + detail::fixed(prevalence, 3), "start", 8, prevalence > 0.9 ? 14 : -5);
  return plot.str();
}

ICHDET_INLINE std::string reliability_plot(const evaluate::ModelResult& model, std::size_t color) {
  Plot plot({0, 1, "mean predicted probability"}, {0, 1, "observed frequency"}, model.model + ", reliability diagram");
  std::int64_t most = 1;
  for (const auto& bin : model.calibration.bins) most = std::max(most, bin.observed.trials);
  for (const auto& bin : model.calibration.bins) {  // a strip of bars up to 0.15 of the height
    if (bin.observed.trials == 0) continue;
    plot.area(bin.low, 0, bin.high, 0.15 * double(bin.observed.trials) / double(most),
              "fill:#dfe5ea;stroke:#fff;stroke-width:1");
  }
  plot.segment(0, 0, 1, 1, "stroke:#aab2bb;stroke-dasharray:4 4");
  std::vector<double> mean, observed;
  for (const auto& bin : model.calibration.bins) {
    if (bin.observed.trials == 0) continue;
    const auto interval = evaluate::wilson(bin.observed);
    plot.segment(bin.mean_probability, interval.low, bin.mean_probability, interval.high, detail::stroke(color, 1.5));
    mean.push_back(bin.mean_probability);
    observed.push_back(bin.observed.value());
  }
  plot.line(mean, observed, detail::stroke(color));
  for (const auto& bin : model.calibration.bins) {
    plot.circle(bin.mean_probability, bin.observed.value(), 4, detail::dot(color),
                std::to_string(bin.observed.successes) + " of " + std::to_string(bin.observed.trials));
  }
  plot.text(0, 1, "ECE " + detail::fixed(model.calibration.expected_error, 3), "start", 8, 18);
  plot.text(0, 1, "Brier " + detail::fixed(model.calibration.brier, 3), "start", 8, 34);
  return plot.str();
}

ICHDET_INLINE std::string confusion_plot(const evaluate::ThresholdResult& result, std::size_t color) {
  const auto& c = result.counts;
  const auto sensitivity = c.sensitivity(), specificity = c.specificity();
  struct Cell {
    double x, y;
    std::int64_t count;
    evaluate::Proportion part;
  };
  const std::array<Cell, 4> cells{{{96, 40, c.true_positives, sensitivity},
                                   {204, 40, c.false_negatives, {c.false_negatives, sensitivity.trials}},
                                   {96, 120, c.false_positives, {c.false_positives, specificity.trials}},
                                   {204, 120, c.true_negatives, specificity}}};
  std::string svg =
      "<svg viewBox=\"0 0 316 204\" width=\"316\" height=\"204\" role=\"img\" aria-label=\"Confusion matrix from " +
      number(result.threshold) + " on\">\n";
  const auto text = [&](double x, double y, const char* attributes, const std::string& words) {
    svg += "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" " + attributes + ">" + escaped(words) + "</text>\n";
  };
  text(204, 12, "class=\"axis\" text-anchor=\"middle\"", "called");
  text(150, 32, "class=\"tick\" text-anchor=\"middle\"", "positive");
  text(258, 32, "class=\"tick\" text-anchor=\"middle\"", "negative");
  text(0, 0, "class=\"axis\" text-anchor=\"middle\" transform=\"translate(12 120) rotate(-90)\"", "truth");
  text(88, 84, "class=\"tick\" text-anchor=\"end\"", "positive");
  text(88, 164, "class=\"tick\" text-anchor=\"end\"", "negative");
  for (const auto& cell : cells) {
    const double part = cell.part.trials > 0 ? cell.part.value() : 0;
    svg += "<rect x=\"" + number(cell.x) + "\" y=\"" + number(cell.y) +
           "\" width=\"106\" height=\"78\" rx=\"4\" style=\"fill:" + model_color(color) +
           ";fill-opacity:" + number(0.05 + 0.5 * part) + "\"/>\n";
    text(cell.x + 53, cell.y + 41, "class=\"count\" text-anchor=\"middle\"", std::to_string(cell.count));
    text(cell.x + 53, cell.y + 60, "class=\"part\" text-anchor=\"middle\"", detail::share(cell.part));
  }
  return svg + "</svg>\n";
}

ICHDET_INLINE std::string bland_altman_plot(const evaluate::VolumeResult& volume, std::size_t color) {
  const auto& a = volume.agreement;
  double least = a.low_limit_interval.low, most = a.high_limit_interval.high, largest = 0;
  if (std::isnan(least)) least = most = a.bias;
  for (std::size_t i = 0; i < volume.measured_ml.size(); ++i) {
    const double difference = volume.measured_ml[i] - volume.reference_ml[i];
    least = std::min(least, difference);
    most = std::max(most, difference);
    largest = std::max(largest, (volume.measured_ml[i] + volume.reference_ml[i]) / 2);
  }
  const Axis x = around(0, largest, "mean of measured and true volume, mL");
  const Axis y = around(least, most, "measured \xE2\x88\x92 true volume, mL");
  Plot plot(x, y, volume.model + ", Bland-Altman plot", 560, 360);
  for (const auto& band : {a.bias_interval, a.low_limit_interval, a.high_limit_interval}) {
    if (std::isnan(band.low)) continue;
    plot.area(x.low, band.low, x.high, band.high, "fill:" + model_color(color) + ";fill-opacity:.1");
  }
  plot.segment(x.low, 0, x.high, 0, "stroke:#aab2bb");
  const auto level = [&](double value, const std::string& words, const char* dashes) {
    if (std::isnan(value)) return;
    plot.segment(x.low, value, x.high, value, detail::stroke(color, 1.5) + dashes);
    plot.text(x.high, value, words + " " + label(std::round(10 * value) / 10) + " mL", "end", -6, -5);
  };
  for (std::size_t i = 0; i < volume.measured_ml.size(); ++i) {
    plot.circle((volume.measured_ml[i] + volume.reference_ml[i]) / 2, volume.measured_ml[i] - volume.reference_ml[i], 3,
                "fill:" + model_color(color) + ";fill-opacity:.55");
  }
  level(a.limits.high, "upper limit", ";stroke-dasharray:6 4");
  level(a.bias, "bias", "");
  level(a.limits.low, "lower limit", ";stroke-dasharray:6 4");
  return plot.str();
}

}  // namespace ichdet::svg
