// Errors: a status code plus a sentence in thread-local storage, read by octet_last_error().
#pragma once

#include "octet/octet.h"

namespace octet {

using Status = octet_status;

// Records a printf-formatted sentence (truncated to 1 KB) and returns `status`.
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
Status
Fail(Status status, const char* format, ...);

// Puts text in front of the recorded sentence, e.g. "operator 3 (CONV_2D \"stem\"): ".
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
void PrefixError(const char* format, ...);

}  // namespace octet

#define OCTET_RETURN_IF_ERROR(expression)                                            \
  do {                                                                               \
    if (::octet::Status status_ = (expression); status_ != OCTET_OK) return status_; \
  } while (0)
