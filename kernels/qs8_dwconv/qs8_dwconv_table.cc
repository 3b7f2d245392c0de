#include "kernels/qs8_dwconv/qs8_dwconv_kernels.h"

namespace octet {

Span<const QS8DwConvKernel> QS8DwConvTable() {
  static constexpr QS8DwConvKernel kTable[] = {
#define OCTET_QS8_DWCONV_ROW(prefix, name, isa, layout, block, run) \
  {                                                                 \
      name,                                                         \
      Isa::isa,                                                     \
      layout,                                                       \
      block,                                                        \
      prefix##Supports,                                             \
      prefix##PackBytes,                                            \
      prefix##ScratchBytes,                                         \
      prefix##Pack,                                                 \
      run},
#define OCTET_QS8_DWCONV(prefix, name, isa, layout, block) \
  OCTET_QS8_DWCONV_ROW(prefix, name, isa, layout, block, prefix##Run)
#define OCTET_QS8_DWCONV_PACK(prefix, name, isa, layout, block) \
  OCTET_QS8_DWCONV_ROW(prefix, name, isa, layout, block, nullptr)
#include "kernels/qs8_dwconv/qs8_dwconv_table.inc"
#undef OCTET_QS8_DWCONV
#undef OCTET_QS8_DWCONV_PACK
#undef OCTET_QS8_DWCONV_ROW
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

const QS8DwConvKernel& SelectQS8DwConv(const QS8DwConvShape& shape, IsaSet isa) {
  const Span<const QS8DwConvKernel> table = QS8DwConvTable();
  for (const QS8DwConvKernel& row : table) {
    if (isa.has(row.isa) && row.supports(shape)) return row;
  }
  return table[table.size - 1];
}

}  // namespace octet
