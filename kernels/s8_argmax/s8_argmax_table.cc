#include "kernels/s8_argmax/s8_argmax.h"

namespace octet {

Span<const S8ArgKernel> S8ArgTable() {
  static constexpr S8ArgKernel kTable[] = {
#define OCTET_S8_ARGMAX(prefix, name, isa) {name, Isa::isa, prefix##Rows, prefix##Columns},
#include "kernels/s8_argmax/s8_argmax_table.inc"
#undef OCTET_S8_ARGMAX
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
