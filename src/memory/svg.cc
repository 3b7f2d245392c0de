#include "src/memory/svg.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

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

// XML text; control characters, which XML cannot carry, become spaces.
std::string Escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

// Cuts at a UTF-8 character's start.
std::string Shorten(const std::string& text, size_t length) {
  if (text.size() <= length) return text;
  if (length < 3) return std::string();
  size_t end = length - 1;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "\xE2\x80\xA6";
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

}  // namespace

std::string PlanSvg(const PlanPicture& p) {
  const double left = 90, top = 64, right = 150;
  const size_t steps = std::max<size_t>(p.steps.size(), 1);
  const double column = std::clamp(1360.0 / static_cast<double>(steps), 1.0, 56.0);
  const double width = std::max(column * static_cast<double>(steps), 320.0), height = 520;
  const bool named = column >= 9;  // room for a name under each column
  size_t longest = 0;
  for (const std::string& s : p.steps) longest = std::max(longest, s.size());
  const double bottom = named ? 30 + 6.2 * static_cast<double>(std::min<size_t>(longest, 28)) : 46;
  const uint64_t scale_bytes = std::max<uint64_t>(std::max(p.arena_bytes, p.bound_bytes), 1);
  // A little air above the peak line.
  const double unit = height / (static_cast<double>(scale_bytes) * 1.04);
  const auto x_of = [&](int32_t step) {
    return left + width * static_cast<double>(step) / static_cast<double>(steps);
  };
  const auto y_of = [&](uint64_t bytes) {
    return top + height - static_cast<double>(bytes) * unit;
  };

  std::string out;
  Put(&out,
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
      "height=\"%.0f\" font-family=\"system-ui, sans-serif\" font-size=\"11\">\n",
      left + width + right, top + height + bottom, left + width + right, top + height + bottom);
  out +=
      "<style>rect.t{stroke:#555;stroke-width:.6}rect.t:hover{stroke:#000;stroke-width:2}"
      "text{fill:#333}.l{pointer-events:none;fill:#111}.g{stroke:#e4e4e4}.a{fill:#777}</style>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
  Put(&out, "<text x=\"%.0f\" y=\"26\" font-size=\"17\" font-weight=\"600\">%s</text>\n", left,
      Escape(Shorten(p.title.empty() ? "Memory plan" : p.title, 90)).c_str());
  Put(&out, "<text x=\"%.0f\" y=\"45\" class=\"a\">arena %s bytes, %zu tensors, %zu steps</text>\n",
      left, Bytes(p.arena_bytes).c_str(), p.tensors.size(), p.steps.size());

  // Grid and axis.
  const uint64_t tick = TickStep(scale_bytes, 8);
  for (uint64_t b = 0; b <= scale_bytes; b += tick) {
    Put(&out, "<line class=\"g\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", left,
        left + width, y_of(b), y_of(b));
    Put(&out, "<text class=\"a\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left - 8,
        y_of(b) + 4, Bytes(b).c_str());
    if (b > UINT64_MAX - tick) break;
  }
  Put(&out,
      "<text class=\"a\" transform=\"translate(16 %.0f) rotate(-90)\" "
      "text-anchor=\"middle\">bytes of the arena</text>\n",
      top + height / 2);

  for (size_t i = 0; i < p.tensors.size(); ++i) {
    const PlanPicture::Tensor& t = p.tensors[i];
    const double x = x_of(t.first_step), w = x_of(t.last_step + 1) - x;
    const double y = y_of(t.offset + t.bytes), h = y_of(t.offset) - y;
    Put(&out,
        "<g><rect class=\"t\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" rx=\"1.5\" "
        "fill=\"%s\"%s>",
        x, y, w, h, Colour(i).c_str(), t.ring_rows > 0 ? " stroke-dasharray=\"4 2\"" : "");
    out += "<title>" + Escape(t.name);
    if (!t.detail.empty()) out += "\n" + Escape(t.detail);
    Put(&out, "\n%s bytes at %s", Bytes(t.bytes).c_str(), Bytes(t.offset).c_str());
    if (t.ring_rows > 0) Put(&out, ", a ring of %d rows", t.ring_rows);
    Put(&out, "\nsteps %d to %d</title></rect>", t.first_step, t.last_step);
    // A label where one fits: along the longer side.
    const bool upright = h > w && w >= 11;
    const double room = upright ? h : w;
    if ((upright || h >= 11) && room >= 46) {
      const std::string label = Shorten(t.name, static_cast<size_t>((room - 8) / 5.6));
      if (!label.empty()) {
        Put(&out,
            "<text class=\"l\" font-size=\"9.5\" text-anchor=\"middle\" "
            "transform=\"translate(%.1f %.1f)%s\">",
            x + w / 2 + (upright ? 3 : 0), y + h / 2 + (upright ? 0 : 3),
            upright ? " rotate(-90)" : "");
        out += Escape(label) + "</text>";
      }
    }
    out += "</g>\n";
  }

  // Steps: names where they fit, else some numbers.
  const size_t every = named ? 1 : static_cast<size_t>(TickStep(steps, 20));
  for (size_t s = 0; s < p.steps.size(); s += every) {
    const double x = x_of(static_cast<int32_t>(s)) + (named ? width / steps / 2 : 0);
    if (named) {
      out += "<g><title>" + Escape(p.steps[s]) + "</title>";
      Put(&out,
          "<text class=\"a\" font-size=\"9.5\" text-anchor=\"end\" "
          "transform=\"translate(%.1f %.1f) rotate(-90)\">",
          x + 3, top + height + 8);
      out += Escape(Shorten(p.steps[s], 28)) + "</text></g>\n";
    } else {
      Put(&out, "<text class=\"a\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%zu</text>\n", x,
          top + height + 16, s);
    }
  }
  if (!named) {
    Put(&out, "<text class=\"a\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">step</text>\n",
        left + width / 2, top + height + 36);
  }

  // Peak and bound; labels step aside where the two lines lie close.
  const auto line = [&](uint64_t bytes, const char* colour, const char* dash, const char* what,
                        double shift) {
    Put(&out,
        "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.2f\" y2=\"%.2f\" stroke=\"%s\" "
        "stroke-width=\"1.6\"%s/>",
        left, left + width + 6, y_of(bytes), y_of(bytes), colour, dash);
    Put(&out, "<text x=\"%.1f\" y=\"%.1f\" style=\"fill:%s\" font-weight=\"600\">%s</text>",
        left + width + 10, y_of(bytes) + 4 + shift, colour, what);
    Put(&out, "<text x=\"%.1f\" y=\"%.1f\" style=\"fill:%s\">%s bytes</text>\n", left + width + 10,
        y_of(bytes) + 18 + shift, colour, Bytes(bytes).c_str());
  };
  const double gap = (y_of(p.arena_bytes) - y_of(p.bound_bytes));
  double shift = 0;
  if (gap < 32 && gap > -32) shift = gap >= 0 ? gap - 32 : gap + 32;
  line(p.arena_bytes, "#c0262d", "", "peak", 0);
  if (p.bound_bytes > 0) {
    // When the bound is the same line, its label goes underneath.
    if (gap == 0) shift = 32;
    line(p.bound_bytes, "#1f5fae", " stroke-dasharray=\"7 5\"", "layer-by-layer bound", shift);
  }
  out += "</svg>\n";
  return out;
}

}  // namespace octet
