#include "src/cli/quantize_report.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "src/cli/command.h"
#include "src/cli/format.h"
#include "src/cli/page.h"
#include "src/memory/svg.h"

namespace octet::cli {
namespace {

using compiler::QuantizedLayer;
using compiler::QuantizeReport;

constexpr char kStyle[] = R"(
.hist{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:10px}
.hist .box b{overflow-wrap:anywhere}
.hist svg{width:100%;height:96px;margin-top:6px}
.hist rect{fill:var(--accent)}.hist rect.out{fill:var(--warn)}
.hist line{stroke:var(--warn);stroke-dasharray:3 2}
.low{color:var(--warn)}
.line path{fill:none;stroke:var(--accent);stroke-width:2}.line circle{fill:var(--accent)}
.line line{stroke:var(--line)}.line text{fill:var(--soft);font:11px system-ui,sans-serif}
)";

// A tensor's values on a logarithmic scale; bars outside the range that was quantised stand out.
std::string HistogramSvg(const QuantizedLayer& l) {
  const size_t n = l.histogram.size();
  uint64_t most = 0;
  for (const uint64_t h : l.histogram) most = std::max(most, h);
  if (n == 0 || most == 0) return "<p class=\"soft\">one value</p>";
  const double top = std::log1p(static_cast<double>(most));
  std::string svg = Format("<svg viewBox=\"0 0 %zu 100\" preserveAspectRatio=\"none\">", n * 4);
  const double width = (l.max - l.min) / static_cast<double>(n);
  const bool ranged = l.high > l.low;
  for (size_t i = 0; i < n; ++i) {
    if (l.histogram[i] == 0) continue;
    const double height = 98 * std::log1p(static_cast<double>(l.histogram[i])) / top;
    const double middle = l.min + (static_cast<double>(i) + 0.5) * width;
    const bool outside = ranged && (middle < l.low || middle > l.high);
    svg += Format("<rect x=\"%zu\" y=\"%.1f\" width=\"3.6\" height=\"%.1f\"%s/>", i * 4,
                  100 - height, height, outside ? " class=\"out\"" : "");
  }
  for (const double at : {l.low, l.high}) {
    if (!ranged || at < l.min || at > l.max) continue;
    const double x = (at - l.min) / (l.max - l.min) * static_cast<double>(n) * 4;
    svg += Format("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"100\"/>", x, x);
  }
  return svg + "</svg>";
}

// SQNR along the network.
std::string SqnrSvg(const QuantizeReport& report) {
  std::vector<double> values;
  for (const QuantizedLayer& l : report.layers) {
    // What is as good as exact, like an input of bytes, would flatten the rest.
    if (std::isfinite(l.sqnr_db) && l.sqnr_db < 90) values.push_back(l.sqnr_db);
  }
  if (values.size() < 2) return {};
  const double low = std::min(0.0, *std::min_element(values.begin(), values.end()));
  const double high = std::max(10.0, *std::max_element(values.begin(), values.end()));
  const auto y = [&](double v) { return 190 - 180 * (v - low) / (high - low); };
  std::string svg = "<svg class=\"line\" viewBox=\"0 0 1000 200\">", path;
  for (double db = std::ceil(low / 10) * 10; db <= high; db += 10) {
    svg += Format(
        "<line x1=\"40\" x2=\"1000\" y1=\"%.1f\" y2=\"%.1f\"/>"
        "<text x=\"0\" y=\"%.1f\">%.0f dB</text>",
        y(db), y(db), y(db) + 4, db);
  }
  const double step = 950.0 / static_cast<double>(values.size() - 1);
  for (size_t i = 0; i < values.size(); ++i) {
    path += Format("%c%.1f %.1f", i ? 'L' : 'M', 45 + static_cast<double>(i) * step, y(values[i]));
  }
  return svg + "<path d=\"" + path + "\"/></svg>";
}

}  // namespace

std::string DecibelText(double db) {
  if (std::isnan(db)) return "";
  if (std::isinf(db)) return db > 0 ? "exact" : "no signal";
  return Format("%.1f dB", db);
}

std::string SizeText(uint64_t bytes) {
  const std::string count = CountText(bytes);
  return count + (count.find(' ') == std::string::npos ? " B" : "B");
}

std::string ShareText(double share) {
  return Format(share > 0 && share < 0.001 ? "%.3f %%" : "%.2f %%", 100 * share);
}

double ParseShare(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const bool percent = *end == '%';
  if (end == text.c_str() || end[percent] != '\0' || !(value >= 0) || value > (percent ? 100 : 1)) {
    Die(kExitUsage, "\"%s\" is no share such as 1%% or 0.01", text.c_str());
  }
  return percent ? value / 100 : value;
}

std::string QuantizeText(const QuantizeReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"operator", "output", "as", ">SQNR", ">outside", ">range", ">", ">zero weights"}};
  for (const QuantizedLayer& l : report.layers) {
    rows.push_back({l.kind, Shorten(l.name, 36), l.precision, DecibelText(l.sqnr_db),
                    l.saturation > 0 ? ShareText(l.saturation) : "", Format("%.4g", l.low),
                    Format("%.4g", l.high),
                    l.weights > 0 && l.sparsity > 0 ? ShareText(l.sparsity) : ""});
    if (l.precision != "int8") rows.back()[5] = rows.back()[6] = "";
  }
  std::string text = Table(std::move(rows));
  text += Format("\nSQNR of the output %s on %zu calibration samples\n",
                 DecibelText(report.output_sqnr_db).c_str(), report.samples);
  if (report.labelled > 0) {
    text += Format("accuracy on %zu labelled samples: float %s, quantised %s; same answer %s\n",
                   report.labelled, ShareText(report.float_accuracy).c_str(),
                   ShareText(report.accuracy).c_str(), ShareText(report.agreement).c_str());
  }
  text += Format("weights %llu bytes, as float %llu\n",
                 static_cast<unsigned long long>(report.weight_bytes),
                 static_cast<unsigned long long>(report.float_weight_bytes));
  return text;
}

std::string QuantizeHtml(const std::string& input, const std::string& output,
                         const QuantizeReport& report) {
  std::string page = PageBegin(input + " \xE2\x86\x92 " + output, kStyle);
  page += "<div class=\"cards\">\n";
  page += PageCard("SQNR of the output", DecibelText(report.output_sqnr_db),
                   Format("%zu calibration samples", report.samples));
  if (report.labelled > 0) {
    page += PageCard("Accuracy", ShareText(report.accuracy),
                     "float " + ShareText(report.float_accuracy) +
                         Format(", %zu labelled samples", report.labelled));
    page += PageCard("Same answer", ShareText(report.agreement), "of float and quantised");
  }
  page += PageCard("Weights", SizeText(report.weight_bytes),
                   "as float " + SizeText(report.float_weight_bytes));
  page += PageCard("File", SizeText(report.convert.file_bytes), "");
  page += PageCard("Arena", SizeText(report.convert.arena_bytes), "");
  page += "</div>\n<h2>Signal to noise along the network</h2><div class=\"box\">" +
          SqnrSvg(report) + "</div>\n";
  page +=
      "<h2>Operators</h2><div class=\"box scroll flush\"><table><thead><tr><th>operator</th>"
      "<th>output</th><th>as</th><th class=\"n\">SQNR</th><th class=\"n\">its levels allow</th>"
      "<th class=\"n\">weights</th><th class=\"n\">outside</th><th class=\"n\">range</th>"
      "<th class=\"n\">seen</th><th class=\"n\">zero weights</th><th class=\"n\">alone</th></tr>"
      "</thead><tbody>\n";
  for (const QuantizedLayer& l : report.layers) {
    const bool int8 = l.precision == "int8";
    page += "<tr><td>" + XmlText(l.kind) + "</td><td>" + XmlText(l.name) + "</td><td>" +
            XmlText(l.precision) + "</td><td class=\"n" + (l.sqnr_db < 20 ? " low" : "") + "\">" +
            DecibelText(l.sqnr_db) + "</td><td class=\"n\">" +
            (int8 ? DecibelText(l.range_sqnr_db) : "") + "</td><td class=\"n\">" +
            (l.weight_sqnr_db != 0 ? DecibelText(l.weight_sqnr_db) : "") + "</td><td class=\"n\">" +
            (l.saturation > 0 ? ShareText(l.saturation) : "") + "</td><td class=\"n\">" +
            (int8 ? Format("%.4g \xE2\x80\xA6 %.4g", l.low, l.high) : "") +
            "</td><td class=\"n\">" + Format("%.4g \xE2\x80\xA6 %.4g", l.min, l.max) +
            "</td><td class=\"n\">" + (l.weights > 0 ? ShareText(l.sparsity) : "") +
            "</td><td class=\"n\">" + (l.sensitivity_db != 0 ? DecibelText(l.sensitivity_db) : "") +
            "</td></tr>\n";
  }
  page +=
      "</tbody></table></div>\n<p class=\"soft\">SQNR: of the operator's output against the float "
      "model's, with all that came before. Its levels allow: if only this tensor were rounded. "
      "Weights: of the rounded weights themselves. Outside: share of values beyond the range. "
      "Alone: the model's output if this operator alone were quantised.</p>\n"
      "<h2>Values of every tensor</h2><p class=\"soft\">Heights are logarithmic; dashed lines are "
      "the ends of the range, bars beyond them are saturated.</p><div class=\"hist\">\n";
  for (const QuantizedLayer& l : report.layers) {
    page += "<div class=\"box\"><b>" + XmlText(l.name) + "</b><div class=\"soft\">" +
            XmlText(l.kind) + Format(", %.4g \xE2\x80\xA6 %.4g", l.min, l.max) + "</div>" +
            HistogramSvg(l) + "</div>\n";
  }
  page += "</div>\n";
  if (!report.convert.log.empty()) {
    page += "<h2>What was done</h2><div class=\"box\">";
    for (const std::string& line : report.convert.log) page += "<p>" + XmlText(line) + "</p>";
    page += "</div>\n";
  }
  return page + PageEnd();
}

}  // namespace octet::cli
