#include "kernels/qs8_conv/qs8_conv_kernels.h"

namespace octet {

Span<const QS8ConvKernel> QS8ConvTable() {
  static constexpr QS8ConvKernel kTable[] = {
#define OCTET_QS8_CONV_ROW(prefix, name, isa, layout, block, run) \
  {                                                               \
      name,                                                       \
      Isa::isa,                                                   \
      layout,                                                     \
      block,                                                      \
      prefix##Supports,                                           \
      prefix##PackBytes,                                          \
      prefix##ScratchBytes,                                       \
      prefix##Pack,                                               \
      run},
#define OCTET_QS8_CONV(prefix, name, isa, layout, block) \
  OCTET_QS8_CONV_ROW(prefix, name, isa, layout, block, prefix##Run)
#define OCTET_QS8_CONV_PACK(prefix, name, isa, layout, block) \
  OCTET_QS8_CONV_ROW(prefix, name, isa, layout, block, nullptr)
#include "kernels/qs8_conv/qs8_conv_table.inc"
#undef OCTET_QS8_CONV
#undef OCTET_QS8_CONV_PACK
#undef OCTET_QS8_CONV_ROW
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
