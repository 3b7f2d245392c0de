// Declares the functions of every row of the table, from the table itself.
#pragma once

#include "kernels/qs8_dwconv/qs8_dwconv.h"

namespace octet {

#define OCTET_QS8_DWCONV_PACK(prefix, name, isa, layout, block) \
  bool prefix##Supports(const QS8DwConvShape& shape);           \
  size_t prefix##PackBytes(const QS8DwConvShape& shape);        \
  size_t prefix##ScratchBytes(const QS8DwConvShape& shape);     \
  void prefix##Pack(const QS8DwConvShape& shape, const QS8DwConvConstants& k, void* pack);
#define OCTET_QS8_DWCONV(prefix, name, isa, layout, block) \
  OCTET_QS8_DWCONV_PACK(prefix, name, isa, layout, block)  \
  void prefix##Run(const QS8DwConvRun& run);
#include "kernels/qs8_dwconv/qs8_dwconv_table.inc"
#undef OCTET_QS8_DWCONV
#undef OCTET_QS8_DWCONV_PACK

}  // namespace octet
