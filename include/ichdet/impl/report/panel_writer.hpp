#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "ichdet/impl/report/shared.hpp"
#include "ichdet/report/draw.hpp"
#include "ichdet/report/panel.hpp"

// What the panels beside pictures have in common.
namespace ichdet::detail {

/// Lays out a panel from the top down.
struct PanelWriter {
  Image& image;
  std::int64_t left, right, pen;

  void line(std::string_view text, draw::Face face, draw::Color color) {
    pen += draw::line_height(face);
    draw::text(image, left, pen, draw::fit(text, face, right - left), face, color);
  }
  void wrapped(std::string_view text, draw::Face face, draw::Color color, std::size_t lines) {
    for (const auto& part : draw::wrap(text, face, right - left, lines)) line(part, face, color);
  }
  void heading(std::string_view text) {
    pen += 22;
    draw::fill(image, left, pen - 6, right - left, 1, theme::line);
    line(text, draw::Face::small, theme::dim);
    pen += 4;
  }
};

inline void write_decision(PanelWriter& writer, const StudyResult& result) {
  const auto& decision = result.decision;
  writer.wrapped(decision.positive ? "Hemorrhage" : "No hemorrhage found", draw::Face::title,
                 decision.positive ? theme::alert : theme::ink, 2);
  writer.line(format("probability %.2f%s", decision.probability, decision.calibrated ? "" : " (not calibrated)"),
              draw::Face::body, theme::ink);
  auto reasons = result.trust.reasons;
  reasons.insert(reasons.end(), result.review.begin(), result.review.end());
  if (result.trust.ok && reasons.empty()) return;
  const auto top = writer.pen + 12;
  writer.left += 10;
  writer.right -= 10;
  writer.pen = top + 6;
  writer.line("REVIEW NEEDED", draw::Face::strong, theme::warning);
  const std::size_t most = 4;
  for (std::size_t i = 0; i < std::min(most, reasons.size()); ++i) {
    writer.wrapped("\u00b7 " + reasons[i], draw::Face::small, theme::ink, 3);
  }
  if (most < reasons.size()) {
    writer.line(format("\u00b7 and %zu more", reasons.size() - most), draw::Face::small, theme::ink);
  }
  writer.left -= 10;
  writer.right += 10;
  writer.pen += 10;
  draw::frame(writer.image, writer.left, top, writer.right - writer.left, writer.pen - top, theme::warning, 2);
}

inline void write_model(PanelWriter& writer, const StudyResult& result) {
  std::string model;
  for (const auto& bundle : result.bundles) model += (model.empty() ? "" : ", ") + bundle.name + " " + bundle.version;
  writer.line("ichdet " + result.version, draw::Face::small, theme::dim);
  writer.line(model, draw::Face::small, theme::dim);
  writer.pen += 4;
  writer.line("NOT FOR CLINICAL USE", draw::Face::strong, theme::warning);
}

}  // namespace ichdet::detail
