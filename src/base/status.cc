#include "src/base/status.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace octet {
namespace {
constexpr size_t kTextBytes = 1024;
thread_local char error_text[kTextBytes];
}  // namespace

Status Fail(Status status, const char* format, ...) {
  // Formatted aside: arguments may point into the text that is being replaced.
  char text[kTextBytes];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  std::memcpy(error_text, text, sizeof text);
  return status;
}

void PrefixError(const char* format, ...) {
  char text[kTextBytes];
  va_list args;
  va_start(args, format);
  int n = std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (n < 0) return;
  if (n >= static_cast<int>(sizeof text)) n = sizeof text - 1;
  std::snprintf(text + n, sizeof text - n, "%s", error_text);
  std::memcpy(error_text, text, sizeof text);
}

}  // namespace octet

extern "C" const char* octet_last_error(void) { return octet::error_text; }
