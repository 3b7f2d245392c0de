// For the checks of a model file: a status with a sentence unless the condition holds.
#pragma once

#include "src/base/status.h"

#define OCTET_REQUIRE(condition, ...)                                         \
  do {                                                                        \
    if (!(condition)) return ::octet::Fail(OCTET_INVALID_MODEL, __VA_ARGS__); \
  } while (0)
