#pragma once

#include <string_view>

namespace ichdet::detail {

/// Of HTML pages and of the diagrams in them: ink on white, no more than two greys.
inline constexpr std::string_view page_style = R"(
:root { --ink: #1d232a; --soft: #5b6570; --line: #dfe4e9; --paper: #ffffff; --wash: #f5f7f9; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--paper); }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 36px 28px 48px; }
h1 { margin: 0; font-size: 27px; letter-spacing: -.01em; }
h2 { margin: 44px 0 12px; padding-top: 18px; border-top: 2px solid var(--ink); font-size: 20px; }
h3 { margin: 28px 0 8px; font-size: 15px; }
p { margin: 6px 0; max-width: 78ch; }
.lead { color: var(--soft); }
.warning { margin: 16px 0; padding: 10px 14px; border-left: 4px solid #d59a00; background: #fff8e3; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 12px 7px 0; text-align: right; vertical-align: top; white-space: nowrap; }
th, td { border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; font-size: 13px; }
th:first-child, td:first-child { text-align: left; }
td b { font-size: 15px; }
td small { display: block; color: var(--soft); font-size: 12px; line-height: 1.45; }
.swatch { display: inline-block; width: 11px; height: 11px; margin-right: 7px; border-radius: 2px; }
.figures { display: flex; flex-wrap: wrap; gap: 10px 26px; }
figure { margin: 8px 0; }
figcaption { font-weight: 600; font-size: 14px; margin-bottom: 4px; }
figcaption span { font-weight: 400; color: var(--soft); }
svg { max-width: 100%; height: auto; display: block; }
svg text { font-family: inherit; fill: var(--ink); font-size: 12px; }
svg .tick, svg .note { fill: var(--soft); }
svg .axis { font-size: 12.5px; }
svg .count { font-size: 22px; font-weight: 600; }
svg .grid { stroke: var(--line); fill: none; }
svg .frame { stroke: var(--soft); fill: none; }
footer { margin-top: 44px; padding-top: 14px; border-top: 1px solid var(--line); color: var(--soft); font-size: 13px; }
@media print { main { padding: 0; } h2, figure, tr { break-inside: avoid; } }
)";

}  // namespace ichdet::detail
