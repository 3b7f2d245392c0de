#include "kernels/qs16_conv/qs16_conv_kernels.h"

namespace octet {

Span<const QS16ConvKernel> QS16ConvTable() {
  static constexpr QS16ConvKernel kTable[] = {
#define OCTET_QS16_CONV(prefix, name, isa, layout, block) \
  {name, Isa::isa, layout, block, prefix##Supports, prefix##PackBytes, prefix##Pack, prefix##Run},
#include "kernels/qs16_conv/qs16_conv_table.inc"
#undef OCTET_QS16_CONV
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

const QS16ConvKernel& SelectQS16Conv(const QS16ConvShape& shape, IsaSet isa) {
  const Span<const QS16ConvKernel> table = QS16ConvTable();
  for (const QS16ConvKernel& row : table) {
    if (isa.has(row.isa) && row.supports(shape)) return row;
  }
  return table[table.size - 1];
}

}  // namespace octet
