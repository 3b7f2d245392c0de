// Declares the functions of every row of the table, from the table itself.
#pragma once

#include "kernels/qs8_conv/qs8_conv.h"

namespace octet {

#define OCTET_QS8_CONV_PACK(prefix, name, isa, layout, block) \
  bool prefix##Supports(const QS8ConvShape& shape);           \
  size_t prefix##PackBytes(const QS8ConvShape& shape);        \
  size_t prefix##ScratchBytes(const QS8ConvShape& shape);     \
  void prefix##Pack(const QS8ConvShape& shape, const QS8ConvConstants& k, void* pack);
#define OCTET_QS8_CONV(prefix, name, isa, layout, block) \
  OCTET_QS8_CONV_PACK(prefix, name, isa, layout, block)  \
  void prefix##Run(const QS8ConvRun& run);
#include "kernels/qs8_conv/qs8_conv_table.inc"
#undef OCTET_QS8_CONV
#undef OCTET_QS8_CONV_PACK

}  // namespace octet
