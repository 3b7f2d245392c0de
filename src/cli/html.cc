#include "src/cli/html.h"

#include <algorithm>

#include "src/cli/format.h"
#include "src/cli/graph_svg.h"
#include "src/cli/page.h"

namespace octet::cli {
namespace {

std::string Number(uint64_t n) {
  std::string digits = std::to_string(n);
  for (size_t i = digits.size(); i > 3;) digits.insert(i -= 3, ",");
  return digits;
}

// "205 KB" beside the exact figure.
std::string Size(uint64_t bytes) {
  const double size = static_cast<double>(bytes);
  if (bytes >= (1u << 20)) return Format("%.2f MiB", size / (1 << 20));
  if (bytes >= (1u << 10)) return Format("%.1f KiB", size / (1 << 10));
  return Format("%d bytes", static_cast<int>(bytes));
}

class Page {
 public:
  Page(const ModelFile& file, const Facts& facts) : file_(file), facts_(facts) {}

  std::string Run() {
    out_ = PageBegin(BaseName(file_.path));
    Heading();
    Memory();
    Plan();
    out_ += "<div class=\"side\"><section id=\"graph\"><h2>Graph</h2><div class=\"box scroll\">\n" +
            GraphSvg(facts_) + "</div>\n<p class=\"soft\">" +
            (facts_.plan.streamed.empty() ? "" : "A bar at the left: runs row by row. ") +
            "Dashed: a view, nothing runs.</p></section>\n";
    Operators();
    out_ += "</div>\n";
    if (facts_.steps.size() > facts_.operators.size()) Steps();
    Tensors();
    out_ += PageEnd();
    return std::move(out_);
  }

 private:
  void Card(const char* name, uint64_t bytes, const std::string& note) {
    out_ += "<div class=\"card\"><span>" + std::string(name) + "</span><b>" + Size(bytes) +
            "</b><span>" + Number(bytes) + " bytes" + (note.empty() ? "" : "; " + note) +
            "</span></div>\n";
  }

  void Heading() {
    const fb::Model& model = *facts_.model;
    out_ += "<p class=\"soft\">" + std::to_string(facts_.operators.size()) + " operators in " +
            Number(facts_.steps.size()) + " steps, " + CountText(facts_.macs) +
            " multiply-accumulates; kernels up to " + XmlText(IsaOf(file_.model)) + ", " +
            std::to_string(facts_.threads) + (facts_.threads == 1 ? " thread" : " threads") +
            "</p>\n<nav><a href=\"#memory\">Memory</a><a href=\"#plan\">Plan</a>"
            "<a href=\"#graph\">Graph</a><a href=\"#operators\">Operators</a>"
            "<a href=\"#tensors\">Tensors</a></nav>\n";
    out_ += "<h2>Model</h2>\n<div class=\"box\"><dl>\n";
    const auto row = [&](const std::string& name, const std::string& value) {
      out_ += "<dt>" + XmlText(name) + "</dt><dd>" + XmlText(value) + "</dd>\n";
    };
    for (size_t i = 0; i < file_.model.input_count(); ++i) {
      Tensor(Format("input %zu", i), Unwrap(file_.model.InputInfo(i)));
    }
    for (size_t i = 0; i < file_.model.output_count(); ++i) {
      Tensor(Format("output %zu", i), Unwrap(file_.model.OutputInfo(i)));
    }
    std::string counts;
    for (const auto& [op, count] : facts_.op_counts) {
      counts += (counts.empty() ? "" : ", ") + std::to_string(count) + " " + op;
    }
    row("operators", counts);
    row("format", Format("version %u, written by ", model.version()) + Text(model.producer()));
    for (uint32_t i = 0; i < Count(model.metadata()); ++i) {
      const fb::Metadata* entry = model.metadata()->Get(i);
      const std::string value = Text(entry->value());
      const auto lines = std::count(value.begin(), value.end(), '\n') + 1;
      if (lines <= 4 && value.size() <= 400) {
        row(Text(entry->key()), value);
        continue;
      }
      out_ += "<dt>" + XmlText(Text(entry->key())) + "</dt><dd><details><summary>" +
              Format("%ld lines", static_cast<long>(lines)) + "</summary>" + XmlText(value) +
              "</details></dd>\n";
    }
    out_ += "</dl></div>\n";
  }

  void Tensor(const std::string& what, const TensorInfo& info) {
    std::string text = std::string(info.name) + ": " + TypeName(static_cast<int>(info.type)) + " " +
                       ShapeText(info.shape, static_cast<size_t>(info.rank));
    if (info.by_rows) text += ", handed over row by row";
    if (info.scale != 0) text += Format(", scale %g, zero point %d", info.scale, info.zero_point);
    out_ += "<dt>" + what + "</dt><dd>" + XmlText(text) + "</dd>\n";
  }

  void Memory() {
    const octet::Memory& m = facts_.memory;
    const uint64_t bound = facts_.plan.bound_bytes;
    out_ += "<h2 id=\"memory\">Memory</h2>\n<div class=\"cards\">\n";
    Card("RAM in all", m.total_bytes, "arena, session and model");
    Card("Arena", m.arena_bytes,
         m.arena_bytes > m.activation_bytes
             ? "of them " + Number(m.arena_bytes - m.activation_bytes) + " only for kernel scratch"
             : "kernel scratch included");
    Card("Session", m.session_bytes, "");
    Card("Model", m.model_bytes, "shared by sessions");
    if (facts_.model->state_bytes() > 0) {
      Card("State", facts_.model->state_bytes(), "kept between runs, in the session");
    }
    Card("Peak of live bytes", facts_.plan.peak_bytes,
         Format("in step %zu", facts_.plan.peak_step));
    if (bound > 0) {
      Card("Layer-by-layer bound", bound,
           Format("the plan takes %.0f %% of it",
                  100.0 * static_cast<double>(facts_.model->arena_bytes()) /
                      static_cast<double>(bound)));
    }
    Card("Weights", facts_.weight_bytes,
         "packed for this CPU " + Number(facts_.pack_bytes) +
             (facts_.mapped_pack_bytes > 0
                  ? ", of them " + Number(facts_.mapped_pack_bytes) + " used from the file"
                  : ""));
    Card("File", file_.file_bytes, m.mapped_bytes > 0 ? "mapped, used in place" : "");
    out_ += "</div>\n";
  }

  void Plan() {
    const PlanPicture picture = Picture(file_, facts_);
    out_ +=
        "<h2 id=\"plan\">The arena over time</h2>\n<div class=\"box flush\"><div class=\"wide "
        "scroll\">\n" +
        PlanSvg(picture) + "</div><div class=\"narrow\">\n" +
        PlanSvg(picture, PlanSvgSize::kCompact) + "</div></div>\n<p class=\"soft\">Across: the ";
    out_ += "steps. Upwards: bytes. Each shape is a tensor, for as long as its bytes are needed";
    bool ring = false;
    for (const PlacedTensor& t : facts_.plan.tensors) ring |= t.ring_rows > 0;
    if (ring) out_ += "; hatched: a ring of a few rows";
    if (!facts_.plan.streamed.empty()) out_ += "; shaded: operators run row by row";
    if (!facts_.plan.scratch.empty()) out_ += "; grey: kernel scratch";
    out_ += ".</p>\n";
  }

  void Link(std::string* out, int32_t op) const {
    *out += Format("<a href=\"#op%d\">%d</a>", static_cast<int>(op), static_cast<int>(op));
  }

  // A line of links: who makes the inputs, who reads the outputs.
  std::string Links(const fb::Operator& op) {
    std::string from, to;
    std::vector<int32_t> seen;
    for (uint32_t k = 0; k < Count(op.inputs()); ++k) {
      const int32_t t = op.inputs()->Get(k);
      if (t < 0 || std::find(seen.begin(), seen.end(), t) != seen.end()) continue;
      seen.push_back(t);
      const int32_t maker = maker_[static_cast<size_t>(t)];
      if (maker == kNobody) continue;
      from += from.empty() ? "from " : ", ";
      if (maker == kInput) {
        from += "input";
      } else {
        Link(&from, maker);
      }
    }
    for (uint32_t k = 0; k < Count(op.outputs()); ++k) {
      const std::vector<int32_t>& readers = readers_[static_cast<size_t>(op.outputs()->Get(k))];
      for (const int32_t reader : readers) {
        to += to.empty() ? "to " : ", ";
        if (reader == kOutput) {
          to += "output";
        } else {
          Link(&to, reader);
        }
      }
    }
    return from + (from.empty() || to.empty() ? "" : "; ") + to;
  }

  void FindLinks() {
    const fb::Model& model = *facts_.model;
    maker_.assign(Count(model.tensors()), kNobody);
    readers_.resize(maker_.size());
    for (uint32_t i = 0; i < Count(model.inputs()); ++i) {
      maker_[static_cast<size_t>(model.inputs()->Get(i))] = kInput;
    }
    for (uint32_t i = 0; i < Count(model.operators()); ++i) {
      const fb::Operator& op = *model.operators()->Get(i);
      for (uint32_t k = 0; k < Count(op.inputs()); ++k) {
        if (op.inputs()->Get(k) < 0) continue;
        std::vector<int32_t>& readers = readers_[static_cast<size_t>(op.inputs()->Get(k))];
        if (readers.empty() || readers.back() != static_cast<int32_t>(i)) {
          readers.push_back(static_cast<int32_t>(i));
        }
      }
      for (uint32_t k = 0; k < Count(op.outputs()); ++k) {
        maker_[static_cast<size_t>(op.outputs()->Get(k))] = static_cast<int32_t>(i);
      }
    }
    for (uint32_t i = 0; i < Count(model.outputs()); ++i) {
      readers_[static_cast<size_t>(model.outputs()->Get(i))].push_back(kOutput);
    }
  }

  static std::string Kernel(const StepInfo& step) {
    const std::string kernel = step.kernel;
    const bool reference = kernel.size() > 5 && kernel.compare(kernel.size() - 5, 5, "__ref") == 0;
    return "<code" + std::string(reference && step.macs > 0 ? " class=\"ref\"" : "") + ">" +
           XmlText(kernel) + "</code>";
  }

  void Operators() {
    FindLinks();
    out_ +=
        "<section id=\"operators\"><h2>Operators and kernels</h2><div class=\"box scroll flush\">"
        "<table class=\"ops\">\n<thead><tr><th>operator</th><th>kernel</th>"
        "<th>output</th><th class=\"n\">step</th><th class=\"n\">MAC</th>"
        "<th class=\"n\">weights</th><th class=\"n\">scratch</th></tr></thead>\n<tbody>\n";
    uint64_t most = 1;
    for (const OperatorFacts& op : facts_.operators) most = std::max(most, op.macs);
    for (size_t i = 0; i < facts_.operators.size(); ++i) {
      const OperatorFacts& known = facts_.operators[i];
      const fb::Operator& op = *facts_.model->operators()->Get(static_cast<uint32_t>(i));
      const std::string window = WindowText(facts_, op);
      out_ += Format("<tr id=\"op%zu\"><td class=\"full\">", i) + "<b>" +
              Format("<span class=\"soft\">%zu</span> ", i) + fb::EnumNameOpKind(op.kind()) +
              "</b> " + XmlText(window) + "<small title=\"" + XmlText(Text(op.name())) + "\">" +
              XmlText(Text(op.name())) + "</small><small>" + Links(op) + "</small></td>";
      if (known.steps.empty()) {
        out_ += "<td class=\"full soft\">a view, nothing runs</td><td data-l=\"output\">" +
                OutputShape(facts_, op) + "</td>";
        for (int k = 0; k < 4; ++k) out_ += "<td class=\"none\"></td>";
        out_ += "</tr>\n";
        continue;
      }
      const StepInfo& step = facts_.steps[static_cast<size_t>(known.steps.front())];
      out_ += "<td class=\"full\">" + Kernel(step) + "</td><td data-l=\"output\">" +
              OutputShape(facts_, op) + "</td><td class=\"n\" data-l=\"step\">" +
              std::to_string(known.steps.front());
      if (known.steps.size() > 1) {
        out_ += Format(" <span class=\"tag\">%zu by rows</span>", known.steps.size());
      }
      out_ += "</td><td class=\"n\" data-l=\"MAC\">";
      if (known.macs == 0) {
        out_ += "\xE2\x80\x93";
      } else {
        out_ += CountText(known.macs) +
                Format("<span class=\"bar\" style=\"width:%.1f%%\"></span>",
                       100.0 * static_cast<double>(known.macs) / static_cast<double>(most));
      }
      out_ += "</td><td class=\"n\" data-l=\"weights\">" + Number(known.weight_bytes) +
              "</td><td class=\"n\" data-l=\"scratch\">" + Number(step.scratch_bytes) +
              "</td></tr>\n";
    }
    out_ += "</tbody></table></div></section>\n";
  }

  // Only where there are more steps than operators.
  void Steps() {
    out_ += Format("<details id=\"steps\"><summary>All %zu steps</summary>", facts_.steps.size());
    out_ +=
        "<div class=\"box scroll flush\"><table>\n<thead><tr><th class=\"n\">step</th>"
        "<th>operator</th><th class=\"n\">rows</th><th class=\"n\">MAC</th><th>kernel</th></tr>"
        "</thead>\n<tbody>\n";
    for (size_t i = 0; i < facts_.steps.size(); ++i) {
      const StepInfo& step = facts_.steps[i];
      out_ += Format("<tr><td class=\"n\">%zu</td><td>", i);
      if (step.op_index >= 0) Link(&out_, step.op_index);
      out_ += " " + XmlText(step.op) + "</td><td class=\"n\">" +
              (step.row_end < 0 ? std::string("all")
                                : Format("%d\xE2\x80\x93%d", static_cast<int>(step.row_begin),
                                         static_cast<int>(step.row_end) - 1)) +
              "</td><td class=\"n\">" + (step.macs ? CountText(step.macs) : "") + "</td><td>" +
              Kernel(step) + "</td></tr>\n";
    }
    out_ += "</tbody></table></div></details>\n";
  }

  void Tensors() {
    out_ += Format("<details id=\"tensors\"><summary>All %zu tensors of the arena</summary>",
                   facts_.plan.tensors.size());
    out_ +=
        "<div class=\"box scroll flush\"><table>\n<thead><tr><th class=\"n\">#</th>"
        "<th class=\"n\">offset</th><th class=\"n\">bytes</th><th class=\"n\">steps</th>"
        "<th>type and shape</th><th>name</th></tr></thead>\n<tbody>\n";
    for (const PlacedTensor& t : facts_.plan.tensors) {
      out_ += Format("<tr><td class=\"n\">%d</td><td class=\"n\">", static_cast<int>(t.tensor)) +
              Number(t.offset) + "</td><td class=\"n\">" + Number(t.bytes) +
              Format("</td><td class=\"n\">%d\xE2\x80\x93%d</td><td>", static_cast<int>(t.first),
                     static_cast<int>(t.last)) +
              t.type + " " + t.shape;
      if (t.ring_rows > 0) {
        out_ +=
            Format(" <span class=\"tag\">ring of %d rows</span>", static_cast<int>(t.ring_rows));
      } else if (t.parts.size() > 1) {
        out_ += " <span class=\"tag\">rows come and go</span>";
      }
      out_ += "</td><td>" + XmlText(t.name) + "</td></tr>\n";
    }
    out_ += "</tbody></table></div></details>\n";
  }

  static constexpr int32_t kNobody = -1, kInput = -2, kOutput = -3;

  const ModelFile& file_;
  const Facts& facts_;
  std::vector<int32_t> maker_;                 // of each tensor: an operator or one of the above
  std::vector<std::vector<int32_t>> readers_;  // of each tensor
  std::string out_;
};

}  // namespace

std::string HtmlPage(const ModelFile& file, const Facts& facts) { return Page(file, facts).Run(); }

}  // namespace octet::cli
