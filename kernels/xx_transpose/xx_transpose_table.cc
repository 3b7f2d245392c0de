#include "kernels/xx_transpose/xx_transpose.h"

namespace octet {

Span<const XxTransposeKernel> XxTransposeTable() {
  static constexpr XxTransposeKernel kTable[] = {
#define OCTET_XX_TRANSPOSE(function, name, isa, element) {name, Isa::isa, element, function},
#include "kernels/xx_transpose/xx_transpose_table.inc"
#undef OCTET_XX_TRANSPOSE
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
