#include "src/cli/format.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "octet/octet.h"
#include "src/cli/command.h"

namespace octet::cli {

std::string Format(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, arguments);
  va_end(arguments);
  std::string text(static_cast<size_t>(length < 0 ? 0 : length), '\0');
  std::vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(again);
  return text;
}

uint64_t ParseBytes(const std::string& text, const char* option) {
  const char* begin = text.c_str();
  char* end = nullptr;
  errno = 0;
  const uint64_t value = std::strtoull(begin, &end, 10);
  bool ok = !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) && errno == 0;
  int shift = 0;
  std::string suffix = ok ? end : "";
  for (char& c : suffix) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (!suffix.empty()) {
    shift = suffix[0] == 'K' ? 10 : suffix[0] == 'M' ? 20 : suffix[0] == 'G' ? 30 : 0;
    const std::string rest = suffix.substr(shift ? 1 : 0);
    ok = ok && (rest == "B" || (shift && (rest.empty() || rest == "IB")));
  }
  if (!ok || value > (UINT64_MAX >> shift)) {
    Die(kExitUsage, "%s: \"%s\" is not a number of bytes such as 4096, 256K or 1M", option,
        text.c_str());
  }
  return value << shift;
}

std::string BytesText(uint64_t bytes) {
  std::string text = Format("%llu bytes", static_cast<unsigned long long>(bytes));
  const double size = static_cast<double>(bytes);
  if (bytes >= (1u << 20)) return text + Format(" (%.2f MiB)", size / (1 << 20));
  if (bytes >= (1u << 10)) return text + Format(" (%.1f KiB)", size / (1 << 10));
  return text;
}

std::string CountText(uint64_t count) {
  const double n = static_cast<double>(count);
  if (count >= 1000000000) return Format("%.2f G", n / 1e9);
  if (count >= 1000000) return Format("%.2f M", n / 1e6);
  if (count >= 10000) return Format("%.1f k", n / 1e3);
  return Format("%llu", static_cast<unsigned long long>(count));
}

const char* TypeName(int type) {
  switch (type) {
    case OCTET_INT8:
      return "int8";
    case OCTET_UINT8:
      return "uint8";
    case OCTET_INT16:
      return "int16";
    case OCTET_INT32:
      return "int32";
    case OCTET_INT64:
      return "int64";
    case OCTET_FLOAT32:
      return "float32";
    case OCTET_BOOL:
      return "bool";
    default:
      return "unknown";
  }
}

size_t TypeSize(int type) {
  switch (type) {
    case OCTET_INT16:
      return 2;
    case OCTET_INT32:
    case OCTET_FLOAT32:
      return 4;
    case OCTET_INT64:
      return 8;
    default:
      return 1;
  }
}

std::string ShapeText(const int32_t* shape, size_t rank) {
  std::string text = "[";
  for (size_t i = 0; i < rank; ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

namespace {

// Columns on the screen that a UTF-8 text takes, near enough.
size_t Width(const std::string& text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) >> 6) != 2; }));
}

}  // namespace

std::string Shorten(const std::string& text, size_t width) {
  if (text.size() <= width) return text;
  size_t end = width - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) >> 6) == 2) --end;
  return text.substr(0, end) + "...";
}

std::string Table(std::vector<std::vector<std::string>> rows) {
  if (rows.empty()) return {};
  std::vector<bool> right(rows[0].size());
  for (size_t c = 0; c < rows[0].size(); ++c) {
    right[c] = !rows[0][c].empty() && rows[0][c][0] == '>';
    if (right[c]) rows[0][c].erase(0, 1);
  }
  std::vector<size_t> width(rows[0].size());
  for (const auto& row : rows) {
    for (size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], Width(row[c]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string padding(width[c] - Width(row[c]), ' ');
      if (c) line += "  ";
      line += right[c] ? padding + row[c] : row[c] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

double Percentile(const std::vector<double>& sorted, double percent) {
  if (sorted.empty()) return 0;
  const double rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()));
  return sorted[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

}  // namespace octet::cli
