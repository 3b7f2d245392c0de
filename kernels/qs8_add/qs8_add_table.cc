#include "kernels/qs8_add/qs8_add.h"

namespace octet {

Span<const BinaryKernel> Qs8AddTable() {
  static constexpr BinaryKernel kTable[] = {
#define OCTET_QS8_ADD(function, name, isa) {name, Isa::isa, function},
#include "kernels/qs8_add/qs8_add_table.inc"
#undef OCTET_QS8_ADD
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
