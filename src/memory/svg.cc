#include "src/memory/svg.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace octet {
namespace {

// Appends printf-formatted text.
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void Put(std::string* out, const char* format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  const int n = std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (n > 0) out->append(text, std::min<size_t>(static_cast<size_t>(n), sizeof text - 1));
}

// Cuts at a UTF-8 character's start.
std::string Shorten(const std::string& text, size_t length) {
  if (text.size() <= length) return text;
  if (length < 3) return std::string();
  size_t end = length - 1;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "\xE2\x80\xA6";
}

// UTF-8 characters.
size_t Letters(const std::string& text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) >> 6) != 2; }));
}

std::string Bytes(uint64_t n) {
  std::string digits = std::to_string(n);
  for (size_t i = digits.size(); i > 3;) digits.insert(i -= 3, ",");
  return digits;
}

// 1, 2 or 5 times a power of ten times 1, at least n / count.
uint64_t TickStep(uint64_t n, uint64_t count) {
  uint64_t unit = 1;
  for (;;) {
    for (const uint64_t factor : {1u, 2u, 5u}) {
      if (unit * factor * count >= n) return unit * factor;
    }
    if (unit > UINT64_MAX / 1000) return n;
    unit *= 10;
  }
}

// Colours that stay apart for neighbours: the golden angle around the wheel.
// As #rrggbb: not every viewer knows newer notations.
std::string Colour(size_t i) {
  const double hue = std::fmod(205 + static_cast<double>(i) * 137.508, 360);
  const double light = 0.74 + 0.04 * static_cast<double>(i % 3);
  const double chroma = (1 - std::abs(2 * light - 1)) * 0.62;
  const auto channel = [&](double n) {  // CSS Color 4, "HSL to RGB"
    const double k = std::fmod(n + hue / 30, 12);
    const double v = light - chroma / 2 * std::clamp(std::min(k - 3, 9 - k), -1.0, 1.0);
    return static_cast<int>(std::lround(std::clamp(v, 0.0, 1.0) * 255));
  };
  char text[16];
  std::snprintf(text, sizeof text, "#%02x%02x%02x", channel(0), channel(8), channel(4));
  return text;
}

// "1,505,280" in full, "1.5 M" where room is short.
std::string ShortBytes(uint64_t n) {
  char text[32];
  if (n < 10000) return Bytes(n);
  const bool millions = n >= 1000000;
  const double value = static_cast<double>(n) / (millions ? 1e6 : 1e3);
  std::snprintf(text, sizeof text, millions && std::fmod(value, 1) > 0.04 ? "%.1f %s" : "%.0f %s",
                value, millions ? "M" : "k");
  return text;
}

constexpr char kStyle[] =
    ".octet-plan .bg{fill:#fff}.octet-plan text{fill:#333}.octet-plan .a{fill:#6b6f76}"
    ".octet-plan .l{fill:#111;pointer-events:none}.octet-plan .g{stroke:#e6e7ea}"
    ".octet-plan .t{stroke:#4a4f57;stroke-width:.7}"
    ".octet-plan .t:hover{stroke:#000;stroke-width:1.8}"
    ".octet-plan .r{stroke-dasharray:4 2}.octet-plan .n{pointer-events:none}"
    ".octet-plan .s{fill:#8d939c;stroke:#5d636b;stroke-width:.5}"
    ".octet-plan .seg{fill:#2f6fed;fill-opacity:.08}.octet-plan .strip{fill:#2f6fed;"
    "fill-opacity:.2}.octet-plan .peak{fill:#c0262d}.octet-plan .peakline{stroke:#c0262d}"
    ".octet-plan .bound{fill:#1f5fae}.octet-plan .boundline{stroke:#1f5fae}"
    ".octet-plan .halo{stroke:#fff}\n"
    "@media(prefers-color-scheme:dark){.octet-plan .bg{fill:#15171b}.octet-plan text{fill:#dfe2e6}"
    ".octet-plan .a{fill:#9aa0a8}.octet-plan .l{fill:#111}.octet-plan .g{stroke:#2b2f36}"
    ".octet-plan .t{stroke:#0c0d0f}.octet-plan .t:hover{stroke:#fff}"
    ".octet-plan .seg{fill:#7aa7ff;fill-opacity:.12}.octet-plan .strip{fill:#7aa7ff;"
    "fill-opacity:.28}.octet-plan .peak{fill:#ff6b70}.octet-plan .peakline{stroke:#ff6b70}"
    ".octet-plan .bound{fill:#7fb2ff}.octet-plan .boundline{stroke:#7fb2ff}"
    ".octet-plan .halo{stroke:#15171b}}";

class Drawer {
 public:
  Drawer(const PlanPicture& picture, bool compact) : p_(picture), compact_(compact) {
    steps_ = std::max<size_t>(p_.steps.size(), 1);
    Columns();
    if (compact_) {
      left_ = 44, top_ = 30, right_ = 8, height_ = 330, bottom_ = 40;
    } else {
      size_t longest = 0;
      for (size_t s = 0; s < p_.steps.size(); ++s) {
        if (segment_of_[s] < 0) longest = std::max(longest, StepLabel(s).size());
      }
      left_ = 90, top_ = 98, right_ = 168, height_ = 520;
      bottom_ = std::max(named_ ? 30 + 6.2 * static_cast<double>(std::min(longest, kLabel)) : 46,
                         p_.segments.empty() ? 0 : 56.0);
    }
    // A bound far above the arena would squeeze the plan: then the axis is cut.
    arena_ = std::max<uint64_t>(p_.arena_bytes, 1);
    cut_ = static_cast<double>(p_.bound_bytes) > 1.45 * static_cast<double>(arena_);
    top_bytes_ = cut_ ? arena_ : std::max(arena_, p_.bound_bytes);
    unit_ = height_ * (cut_ ? 0.87 : 0.96) / static_cast<double>(top_bytes_);
  }

  std::string Run() {
    const double w = left_ + width_ + right_, h = top_ + height_ + bottom_;
    Put(&out_,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"octet-plan\" viewBox=\"0 0 %.0f %.0f\" "
        "width=\"%.0f\" height=\"%.0f\" font-family=\"system-ui, sans-serif\" font-size=\"%d\">\n",
        w, h, w, h, compact_ ? 10 : 11);
    out_ += "<style>" + std::string(kStyle) + "</style>\n";
    Put(&out_,
        "<defs><pattern id=\"ring%d\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
        "patternTransform=\"rotate(45)\"><rect width=\"2\" height=\"6\" fill=\"#000\" "
        "fill-opacity=\".16\"/></pattern></defs>\n",
        compact_ ? 1 : 0);
    out_ += "<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n";
    if (!compact_) Heading();
    Segments();
    Grid();
    FindInPlace();
    for (size_t i = 0; i < p_.tensors.size(); ++i) DrawTensor(i);
    for (const PlanPicture::Scratch& s : p_.scratch) DrawScratch(s);
    // Labels last: a tensor worked on in place lies over its input.
    out_ += labels_;
    Axis();
    Lines();
    out_ += "</svg>\n";
    return std::move(out_);
  }

 private:
  static constexpr size_t kLabel = 28;  // characters

  const std::string& StepLabel(size_t s) const {
    return s < p_.step_labels.size() ? p_.step_labels[s] : p_.steps[s];
  }
  double X(int32_t step) const {
    const int32_t last = static_cast<int32_t>(columns_.size()) - 1;
    return left_ + columns_[static_cast<size_t>(std::clamp(step, 0, last))];
  }
  double HalfColumn(int32_t step) const { return (X(step + 1) - X(step)) / 2; }
  double Y(uint64_t bytes) const { return top_ + height_ - static_cast<double>(bytes) * unit_; }

  // A whole operator takes one unit of width; steps by rows share a few.
  void Columns() {
    segment_of_.assign(steps_, -1);
    std::vector<double> units(steps_, 1);
    for (size_t i = 0; i < p_.segments.size(); ++i) {
      const PlanPicture::Segment& segment = p_.segments[i];
      const int32_t n = segment.last_step - segment.first_step + 1;
      const double share = std::min<double>(n, 8 + 1.5 * segment.operators) / n;
      for (int32_t s = std::max(segment.first_step, 0);
           s <= segment.last_step && s < static_cast<int32_t>(steps_); ++s) {
        units[static_cast<size_t>(s)] = share;
        segment_of_[static_cast<size_t>(s)] = static_cast<int32_t>(i);
      }
    }
    double total = 0;
    for (const double u : units) total += u;
    const double room = compact_ ? 308 : 1360, least = compact_ ? 308 : 420;
    column_ = std::min(room / total, compact_ ? 308.0 : 56.0);
    width_ = std::max(column_ * total, least);
    column_ = width_ / total;
    named_ = !compact_ && column_ >= 9;
    columns_.push_back(0);
    for (const double u : units) columns_.push_back(columns_.back() + u * column_);
  }

  void Heading() {
    Put(&out_, "<text x=\"%.0f\" y=\"28\" font-size=\"17\" font-weight=\"600\">", left_);
    out_ += XmlText(Shorten(p_.title.empty() ? "Memory plan" : p_.title, 90)) + "</text>\n";
    Put(&out_, "<text x=\"%.0f\" y=\"47\" class=\"a\">arena %s bytes, %zu tensors, %zu steps",
        left_, Bytes(p_.arena_bytes).c_str(), p_.tensors.size(), p_.steps.size());
    if (p_.peak_bytes > 0) {
      Put(&out_, "; peak %s live bytes in step %d", Bytes(p_.peak_bytes).c_str(), p_.peak_step);
    }
    out_ += "</text>\n";
    double x = left_;
    const auto key = [&](const char* shape, const char* text) {
      Put(&out_, "<g transform=\"translate(%.0f 58)\">%s<text class=\"a\" x=\"24\" y=\"9.5\">", x,
          shape);
      out_ += std::string(text) + "</text></g>\n";
      x += 46 + 6.1 * static_cast<double>(std::strlen(text));
    };
    bool ring = false, rows = false;
    for (const PlanPicture::Tensor& t : p_.tensors) {
      ring |= t.ring_rows > 0;
      rows |= t.parts.size() > 1;
    }
    key("<rect class=\"t\" width=\"18\" height=\"11\" fill=\"#b9d8ee\"/>", "tensor");
    if (rows) {
      key("<path class=\"t\" d=\"M0 11V8H4V5H8V2H12V0H18V3H15V6H12V11z\" fill=\"#b9d8ee\"/>",
          "rows come and go");
    }
    if (ring) {
      key("<rect class=\"t r\" width=\"18\" height=\"11\" fill=\"#b9d8ee\"/>"
          "<rect width=\"18\" height=\"11\" fill=\"url(#ring0)\"/>",
          "ring of a few rows");
    }
    if (!p_.scratch.empty()) {
      key("<rect class=\"s\" width=\"18\" height=\"11\"/>", "kernel scratch");
    }
    if (!p_.segments.empty()) {
      key("<rect class=\"strip\" width=\"18\" height=\"11\"/>", "operators run row by row");
    }
  }

  // The shade behind steps that run by rows, and its name above and below.
  void Segments() {
    for (const PlanPicture::Segment& s : p_.segments) {
      const double x = X(s.first_step) + 0.7, w = X(s.last_step + 1) - 0.7 - x, y = top_ - 15;
      Put(&out_,
          "<g><rect class=\"seg\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\"/>"
          "<rect class=\"strip\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"15\"/>",
          x, top_, w, height_, x, y, w);
      Put(&out_, "<title>steps %d to %d: %d operators row by row", s.first_step, s.last_step,
          s.operators);
      out_ += (s.detail.empty() ? "" : "\n" + XmlText(s.detail)) + "</title></g>\n";
      char text[96];
      const int steps = s.last_step - s.first_step + 1;
      const auto fits = [&] {
        return (compact_ ? 5.3 : 5.9) * static_cast<double>(std::strlen(text)) <= w - 4;
      };
      std::snprintf(text, sizeof text, "%d operator%s row by row in %d steps", s.operators,
                    s.operators == 1 ? "" : "s", steps);
      if (!fits())
        std::snprintf(text, sizeof text, "%d op%s, %d steps", s.operators,
                      s.operators == 1 ? "" : "s", steps);
      if (!fits())
        std::snprintf(text, sizeof text, "%d op%s", s.operators, s.operators == 1 ? "" : "s");
      if (!fits()) std::snprintf(text, sizeof text, "%d", s.operators);
      if (w >= 14) {
        Put(&out_, "<text class=\"n\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
            x + w / 2, y + 11, text);
      }
    }
  }

  void Grid() {
    const uint64_t tick = TickStep(top_bytes_, compact_ ? 6 : 8);
    for (uint64_t b = 0; b <= top_bytes_; b += tick) {
      Put(&out_, "<line class=\"g\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", left_,
          left_ + width_, Y(b), Y(b));
      Put(&out_, "<text class=\"a\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
          left_ - (compact_ ? 4 : 8), Y(b) + 4, (compact_ ? ShortBytes(b) : Bytes(b)).c_str());
      if (b > UINT64_MAX - tick) break;
    }
    if (compact_) return;
    Put(&out_,
        "<text class=\"a\" transform=\"translate(16 %.0f) rotate(-90)\" "
        "text-anchor=\"middle\">bytes of the arena</text>\n",
        top_ + height_ / 2);
  }

  // The outline of parts that lie on each other: up along their beginnings, down along their ends.
  std::string Outline(const std::vector<PlanPicture::Part>& parts, size_t from, size_t to) const {
    std::string d;
    Put(&d, "M%.1f %.1f", X(parts[from].first_step), Y(parts[from].begin));
    const auto turn = [&](double y, double x, double* at) {
      if (std::abs(x - *at) < 0.05) return;
      Put(&d, "V%.1fH%.1f", y, x);
      *at = x;
    };
    double at = X(parts[from].first_step);
    for (size_t i = from + 1; i < to; ++i) turn(Y(parts[i].begin), X(parts[i].first_step), &at);
    Put(&d, "V%.1fH%.1f", Y(parts[to - 1].end), at = X(parts[to - 1].last_step + 1));
    for (size_t i = to - 1; i-- > from;) turn(Y(parts[i].end), X(parts[i].last_step + 1), &at);
    Put(&d, "V%.1fz", Y(parts[from].begin));
    return d;
  }

  // A whole tensor made in the place of another shares that step's column with it, half and half.
  void FindInPlace() {
    const size_t n = p_.tensors.size();
    begins_late_.assign(n, false);
    ends_early_.assign(n, false);
    const auto plain = [](const PlanPicture::Tensor& t) {
      return t.parts.size() < 2 && t.ring_rows == 0;
    };
    for (size_t i = 0; i < n && n <= 4096; ++i) {
      const PlanPicture::Tensor& a = p_.tensors[i];
      for (size_t j = 0; j < n && plain(a); ++j) {
        const PlanPicture::Tensor& b = p_.tensors[j];
        if (i == j || a.last_step != b.first_step || !plain(b) || a.offset >= b.offset + b.bytes ||
            b.offset >= a.offset + a.bytes || a.first_step > b.first_step ||
            (a.first_step == b.first_step && a.last_step >= b.last_step)) {
          continue;
        }
        ends_early_[i] = begins_late_[j] = true;
      }
    }
  }

  void DrawTensor(size_t index) {
    const PlanPicture::Tensor& t = p_.tensors[index];
    const std::string colour = Colour(index);
    std::vector<PlanPicture::Part> parts = t.parts;
    if (parts.empty()) parts = {{t.offset, t.offset + t.bytes, t.first_step, t.last_step}};
    const double begin_half = begins_late_[index] ? HalfColumn(t.first_step) : 0;
    const double end_half = ends_early_[index] ? HalfColumn(t.last_step) : 0;
    std::string d;
    if (begin_half > 0 || end_half > 0) {
      Put(&d, "M%.1f %.1fH%.1fV%.1fH%.1fz", X(t.first_step) + begin_half, Y(parts[0].begin),
          X(t.last_step + 1) - end_half, Y(parts[0].end), X(t.first_step) + begin_half);
    }
    for (size_t from = 0; begin_half + end_half == 0 && from < parts.size();) {
      size_t to = from + 1;
      while (to < parts.size() && parts[to].begin == parts[to - 1].end) ++to;
      d += Outline(parts, from, to);
      from = to;
    }
    out_ += "<g><path class=\"t" + std::string(t.ring_rows > 0 ? " r" : "") + "\" d=\"" + d +
            "\" fill=\"" + colour + "\"><title>" + XmlText(t.name);
    if (!t.detail.empty()) out_ += "\n" + XmlText(t.detail);
    Put(&out_, "\n%s bytes at %s", Bytes(t.bytes).c_str(), Bytes(t.offset).c_str());
    if (t.ring_rows > 0) Put(&out_, ", a ring of %d rows", t.ring_rows);
    if (parts.size() > 1) out_ += ", each row held for as long as it is needed";
    Put(&out_, "\nsteps %d to %d</title></path>", t.first_step, t.last_step);
    if (t.ring_rows > 0) {
      out_ +=
          "<path class=\"n\" d=\"" + d + "\" fill=\"url(#ring" + (compact_ ? "1" : "0") + ")\"/>";
    }
    out_ += "</g>\n";
    Label(parts, begin_half, end_half, t.label.empty() ? t.name : t.label);
  }

  // A label where one fits: along the longer side of a rectangle, across the middle of a staircase.
  void Label(const std::vector<PlanPicture::Part>& parts, double begin_half, double end_half,
             const std::string& text) {
    double x0 = X(parts[0].first_step) + begin_half, x1 = X(parts[0].last_step + 1) - end_half;
    double y0 = Y(parts.back().end), y1 = Y(parts[0].begin);
    if (parts.size() > 1) {
      // The part with the most area, and its neighbours within a letter's height.
      const double middle = (y0 + y1) / 2;
      x0 = left_, x1 = left_ + width_;
      for (const PlanPicture::Part& part : parts) {
        if (Y(part.end) > middle + 6 || Y(part.begin) < middle - 6) continue;
        x0 = std::max(x0, X(part.first_step));
        x1 = std::min(x1, X(part.last_step + 1));
      }
      if (y1 - y0 < 12) return;
      y0 = middle - 6, y1 = middle + 6;
    }
    const double w = x1 - x0, h = y1 - y0;
    const bool upright = h > w && w >= 11;
    const double room = upright ? h : w;
    if (!upright && h < 10.5) return;
    const size_t letters = static_cast<size_t>(std::max(room - 6, 0.0) / 5.3);
    std::string label = text;
    // The first word alone says more than half of the second.
    if (Letters(label) > letters && label.find(' ') != std::string::npos) {
      label.erase(label.find(' '));
    }
    if (Letters(label) > letters) label = letters < 6 ? "" : Shorten(label, letters);
    if (label.empty()) return;
    Put(&labels_,
        "<text class=\"l\" font-size=\"%s\" text-anchor=\"middle\" "
        "transform=\"translate(%.1f %.1f)%s\">",
        compact_ ? "9" : "9.5", x0 + w / 2 + (upright ? 3 : 0), y0 + h / 2 + (upright ? 0 : 3),
        upright ? " rotate(-90)" : "");
    labels_ += XmlText(label) + "</text>\n";
  }

  void DrawScratch(const PlanPicture::Scratch& s) {
    std::string d;
    const double y = Y(s.offset + s.bytes), h = Y(s.offset) - y;
    for (size_t i = 0; i < s.steps.size();) {
      size_t end = i + 1;
      while (end < s.steps.size() && s.steps[end] == s.steps[end - 1] + 1) ++end;
      const double x = X(s.steps[i]);
      Put(&d, "M%.1f %.1fh%.1fv%.1fh%.1fz", x, y, X(s.steps[end - 1] + 1) - x, h,
          x - X(s.steps[end - 1] + 1));
      i = end;
    }
    out_ += "<path class=\"s\" d=\"" + d + "\"><title>scratch of " + XmlText(s.name);
    Put(&out_, "\n%s bytes at %s</title></path>\n", Bytes(s.bytes).c_str(),
        Bytes(s.offset).c_str());
  }

  // Steps: names where they fit, else some numbers.
  void Axis() {
    const double y = top_ + height_;
    for (const PlanPicture::Segment& s : p_.segments) {
      const double x0 = X(s.first_step), x1 = X(s.last_step + 1);
      Put(&out_, "<path class=\"a\" fill-opacity=\".6\" d=\"M%.1f %.1fh%.1fv3H%.1fz\"/>", x0 + 1,
          y + 5, x1 - x0 - 2, x0 + 1);
      char text[48];
      std::snprintf(text, sizeof text, "steps %d to %d", s.first_step, s.last_step);
      if (x1 - x0 >= 6 * static_cast<double>(std::strlen(text))) {
        Put(&out_, "<text class=\"a\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
            (x0 + x1) / 2, y + 22, text);
      }
    }
    const double apart = 34;
    double next = 0;
    for (size_t s = 0; s < p_.steps.size(); ++s) {
      const double x = X(static_cast<int32_t>(s)), w = X(static_cast<int32_t>(s) + 1) - x;
      if (segment_of_[s] >= 0) continue;
      if (named_) {
        out_ += "<g><title>" + XmlText(p_.steps[s]) + "</title>";
        Put(&out_,
            "<text class=\"a\" font-size=\"9.5\" text-anchor=\"end\" "
            "transform=\"translate(%.1f %.1f) rotate(-90)\">",
            x + w / 2 + 3, y + 8);
        out_ += XmlText(Shorten(StepLabel(s), kLabel)) + "</text></g>\n";
      } else if (x >= next) {
        Put(&out_, "<text class=\"a\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%zu</text>\n",
            x + w / 2, y + 19, s);
        next = x + apart;
      }
    }
    if (!named_) {
      Put(&out_, "<text class=\"a\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">step</text>\n",
          left_ + width_ / 2, y + 34);
    }
  }

  // One horizontal line with its label: to the right of the plot, or inside where it is compact.
  void Line(double y, double label_y, const char* name, const char* dash, const std::string& what,
            uint64_t bytes) {
    Put(&out_,
        "<line class=\"%sline n\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.2f\" y2=\"%.2f\" "
        "stroke-width=\"1.6\"%s/>",
        name, left_, left_ + width_ + (compact_ ? 0 : 6), y, y, dash);
    if (compact_) {
      for (const char* part : {"halo", name}) {
        Put(&out_,
            "<text class=\"n %s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\" "
            "font-weight=\"600\"%s>%s %s</text>\n",
            part, left_ + width_ - 3, label_y, part == name ? "" : " stroke-width=\"3\"",
            what.c_str(), Bytes(bytes).c_str());
      }
      return;
    }
    Put(&out_, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" font-weight=\"600\">%s</text>", name,
        left_ + width_ + 10, label_y + 4, what.c_str());
    Put(&out_, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s bytes</text>\n", name,
        left_ + width_ + 10, label_y + 18, Bytes(bytes).c_str());
  }

  void Lines() {
    if (p_.peak_step >= 0 && p_.peak_bytes > 0) {
      const double x = (X(p_.peak_step) + X(p_.peak_step + 1)) / 2, y = top_ + height_;
      Put(&out_,
          "<g><line class=\"peakline\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" "
          "stroke-dasharray=\"1.5 3\"/><path class=\"peak\" d=\"M%.1f %.1fl4 -6h-8z\"/>"
          "<title>peak: %s live bytes in step %d</title></g>\n",
          x, x, Y(p_.arena_bytes), y, x, Y(p_.arena_bytes) - 1, Bytes(p_.peak_bytes).c_str(),
          p_.peak_step);
    }
    const double arena = Y(p_.arena_bytes), bound = cut_ ? top_ + 16 : Y(p_.bound_bytes);
    const char dash[] = " stroke-dasharray=\"7 5\"";
    double arena_label = arena, bound_label = bound;
    if (p_.bound_bytes > 0) {
      // Labels step aside where the lines lie close.
      const double least = compact_ ? 12 : 32, gap = arena - bound;
      if (gap >= 0 && gap < least) arena_label = bound_label + least;
      if (gap < 0 && -gap < least) bound_label = arena_label + least;
    }
    if (cut_ && !compact_) bound_label -= 12;
    const double above = compact_ ? -4 : 0;
    Line(arena, arena_label + above, "peak", "", "arena", p_.arena_bytes);
    if (p_.bound_bytes == 0) return;
    Line(bound, bound_label + (compact_ && cut_ ? 12 : above), "bound", dash,
         compact_ ? "layer by layer" : "layer-by-layer bound", p_.bound_bytes);
    if (!cut_) return;
    // Where the axis is cut.
    const double y = (arena + bound) / 2;
    Put(&out_, "<path class=\"boundline\" fill=\"none\" d=\"M%.1f %.1fl10 -4M%.1f %.1fl10 -4\"/>\n",
        left_ - 5, y + 4, left_ - 5, y + 9);
    if (!compact_) {
      Put(&out_, "<text class=\"bound\" x=\"%.1f\" y=\"%.1f\">%.1f times the arena</text>",
          left_ + width_ + 10, bound_label + 32,
          static_cast<double>(p_.bound_bytes) / static_cast<double>(arena_));
      Put(&out_, "<text class=\"a\" x=\"%.1f\" y=\"%.1f\">(the axis is cut)</text>\n",
          left_ + width_ + 10, bound_label + 46);
    }
  }

  const PlanPicture& p_;
  const bool compact_;
  size_t steps_ = 1;
  double left_ = 0, top_ = 0, right_ = 0, bottom_ = 0, width_ = 0, height_ = 0;
  double column_ = 1;            // width of a whole operator
  bool named_ = false;           // room for a name under each of those
  std::vector<double> columns_;  // where each step begins, and the end
  std::vector<int32_t> segment_of_;
  std::vector<bool> begins_late_, ends_early_;  // of each tensor
  uint64_t arena_ = 1, top_bytes_ = 1;
  bool cut_ = false;
  double unit_ = 1;
  std::string out_, labels_;
};

}  // namespace

std::string PlanSvg(const PlanPicture& picture, PlanSvgSize size) {
  return Drawer(picture, size == PlanSvgSize::kCompact).Run();
}

}  // namespace octet
