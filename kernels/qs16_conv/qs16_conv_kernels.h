// Declares the functions of every row of the table, from the table itself.
#pragma once

#include "kernels/qs16_conv/qs16_conv.h"

namespace octet {

#define OCTET_QS16_CONV(prefix, name, isa, layout, block)                                \
  bool prefix##Supports(const QS16ConvShape& shape);                                     \
  size_t prefix##PackBytes(const QS16ConvShape& shape);                                  \
  void prefix##Pack(const QS16ConvShape& shape, const QS16ConvConstants& k, void* pack); \
  void prefix##Run(const QS16ConvRun& run);
#include "kernels/qs16_conv/qs16_conv_table.inc"
#undef OCTET_QS16_CONV

}  // namespace octet
