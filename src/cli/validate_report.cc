#include <algorithm>
#include <cmath>

#include "src/cli/format.h"
#include "src/cli/page.h"
#include "src/cli/quantize_report.h"
#include "src/cli/validate.h"
#include "src/memory/svg.h"

namespace octet::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kStyle[] = R"(
.plot svg{width:100%;height:auto}.plot text{fill:var(--soft);font:11px system-ui,sans-serif}
.plot line{stroke:var(--line)}.a{fill:#8a909980}.b{fill:var(--bar);stroke:var(--accent)}
.bars td:last-child{width:50%}.bars .bar{margin:5px 0 0}.low{color:var(--warn)}
.failed{border-color:var(--warn)!important;color:var(--warn)}
)";

Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json ToJson(const ModelFacts& m, size_t labelled, bool targets) {
  Json json = {{"path", m.path},
               {"file_bytes", m.file_bytes},
               {"ram_bytes", m.ram_bytes},
               {"median_us", Percentile(m.runs_us, 50)},
               {"p90_us", Percentile(m.runs_us, 90)},
               {"p99_us", Percentile(m.runs_us, 99)},
               {"runs", m.runs_us.size()}};
  if (labelled > 0) {
    json["top1"] = m.top1;
    json["top5"] = m.top5;
  }
  if (targets) json["mean_error"] = m.mean_error;
  return json;
}

// Both models' latencies on one logarithmic axis.
std::string LatencySvg(const Validation& v) {
  if (v.a.runs_us.empty() || v.b.runs_us.empty()) return {};
  // The slowest hundredth of the runs would stretch the axis.
  const double low = std::log10(std::max(std::min(v.a.runs_us[0], v.b.runs_us[0]), 0.01)) - 0.02;
  const double high =
      std::log10(std::max({Percentile(v.a.runs_us, 99), Percentile(v.b.runs_us, 99), 0.02})) + 0.02;
  constexpr int kBars = 160;
  std::string svg = "<svg viewBox=\"0 0 1000 190\">";
  for (int side = 0; side < 2; ++side) {
    std::vector<size_t> bars(kBars, 0);
    for (const double us : side ? v.b.runs_us : v.a.runs_us) {
      const double at = (std::log10(std::max(us, 0.01)) - low) / (high - low) * kBars;
      if (at >= 0 && at < kBars) ++bars[static_cast<size_t>(at)];
    }
    const double most = static_cast<double>(*std::max_element(bars.begin(), bars.end()));
    for (int i = 0; i < kBars; ++i) {
      if (bars[static_cast<size_t>(i)] == 0) continue;
      const double h = 150 * static_cast<double>(bars[static_cast<size_t>(i)]) / most;
      svg += Format("<rect class=\"%c\" x=\"%.1f\" y=\"%.1f\" width=\"5.6\" height=\"%.1f\"/>",
                    side ? 'b' : 'a', i * 1000.0 / kBars, 160 - h, h);
    }
  }
  for (int power = -2; power < 8; ++power) {
    for (const int digit : {1, 2, 5}) {
      const double us = digit * std::pow(10.0, power);
      const double x = (std::log10(us) - low) / (high - low) * 1000;
      if (x < 0 || x > 960) continue;
      svg += Format(
          "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"160\" y2=\"166\"/><text x=\"%.1f\" "
          "y=\"180\">%s</text>",
          x, x, x,
          us >= 1000 ? Format("%g ms", us / 1000).c_str() : Format("%g \xC2\xB5s", us).c_str());
    }
  }
  return svg + "</svg>";
}

double Ratio(double a, double b) { return b > 0 ? a / b : 0; }

}  // namespace

Json ValidationJson(const Validation& v) {
  Json layers = Json::array(), worst = Json::array();
  for (const ValidatedLayer& l : v.layers) {
    layers.push_back({{"name", l.name},
                      {"type", l.type},
                      {"sqnr_db", Number(l.sqnr_db)},
                      {"mean_error", l.mean_error}});
  }
  for (const Validation::Worst& w : v.worst) {
    worst.push_back({{"sample", w.sample}, {"sqnr_db", Number(w.sqnr_db)}});
  }
  Json json = {{"float", ToJson(v.a, v.labelled, v.targets)},
               {"quantized", ToJson(v.b, v.labelled, v.targets)},
               {"samples", v.samples},
               {"labelled", v.labelled},
               {"sqnr_db", Number(v.sqnr_db)},
               {"mean_error", v.mean_error},
               {"max_error", v.max_error}};
  if (v.classes) json["agreement"] = v.agreement;
  json["layers"] = std::move(layers);
  json["worst"] = std::move(worst);
  json["failures"] = v.failures;
  json["passed"] = v.failures.empty();
  return json;
}

std::string ValidationText(const Validation& v) {
  std::string text;
  if (!v.layers.empty()) {
    std::vector<std::vector<std::string>> rows = {{"tensor", "type", ">SQNR", ">mean error"}};
    for (const ValidatedLayer& l : v.layers) {
      rows.push_back(
          {Shorten(l.name, 48), l.type, DecibelText(l.sqnr_db), Format("%.3g", l.mean_error)});
    }
    text += Table(std::move(rows)) + "\n";
  } else if (!v.layers_note.empty()) {
    text += "layers not compared: " + v.layers_note + "\n\n";
  }
  std::vector<std::vector<std::string>> rows = {
      {"", ">" + Shorten(v.a.path, 40), ">" + Shorten(v.b.path, 40), ">ratio"}};
  const auto row = [&](const char* name, const std::string& a, const std::string& b,
                       const std::string& c) {
    rows.push_back({name, a, b, c});
  };
  if (v.labelled > 0) {
    row("top-1", ShareText(v.a.top1), ShareText(v.b.top1), "");
    row("top-5", ShareText(v.a.top5), ShareText(v.b.top5), "");
  }
  if (v.targets) {
    row("mean error", Format("%.5g", v.a.mean_error), Format("%.5g", v.b.mean_error),
        Format("%.3f", Ratio(v.a.mean_error, v.b.mean_error)));
  }
  for (const double percent : {50.0, 90.0, 99.0}) {
    const double a = Percentile(v.a.runs_us, percent), b = Percentile(v.b.runs_us, percent);
    row(percent == 50   ? "latency, median"
        : percent == 90 ? "latency, p90"
                        : "latency, p99",
        Format("%.1f us", a), Format("%.1f us", b), Format("%.2f", Ratio(a, b)));
  }
  const auto bytes = [&](const char* name, uint64_t a, uint64_t b) {
    row(name, SizeText(a), SizeText(b),
        Format("%.2f", Ratio(static_cast<double>(a), static_cast<double>(b))));
  };
  bytes("file", v.a.file_bytes, v.b.file_bytes);
  bytes("RAM", v.a.ram_bytes, v.b.ram_bytes);
  text += Table(std::move(rows));
  text += Format("\n%zu samples: SQNR of the output %s, mean difference %.4g, largest %.4g\n",
                 v.samples, DecibelText(v.sqnr_db).c_str(), v.mean_error, v.max_error);
  if (v.classes) text += "same best class: " + ShareText(v.agreement) + "\n";
  for (const Validation::Worst& w : v.worst) {
    text += Format("  %10s  %s\n", DecibelText(w.sqnr_db).c_str(), w.sample.c_str());
  }
  for (const std::string& failure : v.failures) text += "FAILED: " + failure + "\n";
  return text;
}

std::string ValidationHtml(const Validation& v) {
  std::string page = PageBegin(v.a.path + " and " + v.b.path, kStyle);
  page += "<div class=\"cards\">\n";
  if (v.labelled > 0) {
    page += PageCard("Top-1", ShareText(v.b.top1),
                     "before " + ShareText(v.a.top1) + Format(", %zu samples", v.labelled));
    page += PageCard("Top-5", ShareText(v.b.top5), "before " + ShareText(v.a.top5));
  }
  if (v.targets) {
    page += PageCard("Mean error", Format("%.5g", v.b.mean_error),
                     Format("before %.5g, of what is right", v.a.mean_error));
  }
  if (v.classes) {
    page += PageCard("Same best class", ShareText(v.agreement), Format("%zu samples", v.samples));
  }
  page += PageCard("SQNR of the output", DecibelText(v.sqnr_db),
                   Format("mean difference %.4g, largest %.4g", v.mean_error, v.max_error));
  const auto latency = [&](const char* name, double percent) {
    const double a = Percentile(v.a.runs_us, percent), b = Percentile(v.b.runs_us, percent);
    page += PageCard(name, Format("%.1f \xC2\xB5s", b),
                     Format("before %.1f \xC2\xB5s (%.2f times)", a, Ratio(a, b)));
  };
  latency("Latency, median", 50);
  latency("Latency, p90", 90);
  latency("Latency, p99", 99);
  page += PageCard("File", SizeText(v.b.file_bytes), "before " + SizeText(v.a.file_bytes));
  page += PageCard("RAM", SizeText(v.b.ram_bytes), "before " + SizeText(v.a.ram_bytes));
  page += "</div>\n";
  for (const std::string& failure : v.failures) {
    page += "<p class=\"box failed\">" + XmlText(failure) + "</p>\n";
  }
  page += "<h2>Latency</h2><div class=\"box plot\">" + LatencySvg(v) +
          "</div><p class=\"soft\">Grey: before; blue: after. Without the slowest hundredth.</p>\n";
  if (!v.layers.empty()) {
    double most = 1;
    for (const ValidatedLayer& l : v.layers) {
      if (std::isfinite(l.sqnr_db)) most = std::max(most, l.sqnr_db);
    }
    page +=
        "<h2>Signal to noise of each tensor</h2><div class=\"box scroll flush\"><table "
        "class=\"bars\"><thead><tr><th>tensor</th><th>type</th><th class=\"n\">SQNR</th>"
        "<th class=\"n\">mean error</th><th></th></tr></thead><tbody>\n";
    for (const ValidatedLayer& l : v.layers) {
      const double width =
          std::isinf(l.sqnr_db) ? (l.sqnr_db > 0 ? 100 : 0) : 100 * l.sqnr_db / most;
      page += "<tr><td>" + XmlText(l.name) + "</td><td>" + XmlText(l.type) + "</td><td class=\"n" +
              (l.sqnr_db < 20 ? " low" : "") + "\">" + DecibelText(l.sqnr_db) +
              "</td><td class=\"n\">" + Format("%.3g", l.mean_error) +
              Format("</td><td><span class=\"bar\" style=\"width:%.1f%%\"></span></td></tr>\n",
                     std::clamp(width, 0.0, 100.0));
    }
    page += "</tbody></table></div>\n";
  } else if (!v.layers_note.empty()) {
    page += "<p class=\"soft\">Layers not compared: " + XmlText(v.layers_note) + "</p>\n";
  }
  if (!v.worst.empty()) {
    page += "<h2>Samples that differ most</h2><div class=\"box\"><dl>";
    for (const Validation::Worst& w : v.worst) {
      page += "<dt>" + DecibelText(w.sqnr_db) + "</dt><dd>" + XmlText(w.sample) + "</dd>";
    }
    page += "</dl></div>\n";
  }
  return page + PageEnd();
}

}  // namespace octet::cli
