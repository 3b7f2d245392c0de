#include "src/cli/command.h"

#include <cstdarg>
#include <cstdio>
#include <vector>

namespace octet::cli {

void Die(ExitCode code, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, arguments);
  va_end(arguments);
  std::vector<char> text(static_cast<size_t>(length < 0 ? 0 : length) + 1);
  std::vsnprintf(text.data(), text.size(), format, again);
  va_end(again);
  throw CommandError(code, text.data());
}

ExitCode ExitCodeOf(octet_status status) {
  switch (status) {
    case OCTET_OK:
      return kExitOk;
    case OCTET_INVALID_ARGUMENT:
    case OCTET_RUN_ERROR:
      return kExitUsage;
    case OCTET_IO_ERROR:
      return kExitIo;
    case OCTET_INVALID_MODEL:
    case OCTET_UNSUPPORTED:
      return kExitBadModel;
    case OCTET_OUT_OF_MEMORY:
    case OCTET_RAM_LIMIT:
      return kExitRamLimit;
  }
  return kExitUsage;
}

void DieOf(octet_status status, const std::string& message, const std::string& what) {
  // The libraries name the files that they open themselves.
  const bool named = what.empty() || message.compare(0, what.size(), what) == 0;
  throw CommandError(ExitCodeOf(status), named ? message : what + ": " + message);
}

void Check(const Result<void>& result, const std::string& what) {
  if (!result) DieOf(result.status(), result.message(), what);
}

}  // namespace octet::cli
