#include "kernels/qs8_conv/qs8_conv_kernels.h"

namespace octet {

Span<const QS8ConvKernel> QS8ConvTable() {
  static constexpr QS8ConvKernel kTable[] = {
#define OCTET_QS8_CONV(prefix, name, isa, layout, block) \
  {name,                                                 \
   Isa::isa,                                             \
   layout,                                               \
   block,                                                \
   prefix##Supports,                                     \
   prefix##PackBytes,                                    \
   prefix##ScratchBytes,                                 \
   prefix##Pack,                                         \
   prefix##Run},
#include "kernels/qs8_conv/qs8_conv_table.inc"
#undef OCTET_QS8_CONV
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

const QS8ConvKernel& SelectQS8Conv(const QS8ConvShape& shape, IsaSet isa) {
  const Span<const QS8ConvKernel> table = QS8ConvTable();
  for (const QS8ConvKernel& row : table) {
    if (isa.has(row.isa) && row.supports(shape)) return row;
  }
  return table[table.size - 1];
}

}  // namespace octet
