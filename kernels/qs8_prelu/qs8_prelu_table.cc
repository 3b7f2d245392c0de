#include "kernels/qs8_prelu/qs8_prelu.h"

namespace octet {

Span<const BinaryKernel> Qs8PreluTable() {
  static constexpr BinaryKernel kTable[] = {
#define OCTET_QS8_PRELU(function, name, isa) {name, Isa::isa, function},
#include "kernels/qs8_prelu/qs8_prelu_table.inc"
#undef OCTET_QS8_PRELU
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
