#include "kernels/qs8_mul/qs8_mul.h"

namespace octet {

Span<const BinaryKernel> Qs8MulTable() {
  static constexpr BinaryKernel kTable[] = {
#define OCTET_QS8_MUL(function, name, isa) {name, Isa::isa, function},
#include "kernels/qs8_mul/qs8_mul_table.inc"
#undef OCTET_QS8_MUL
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

void MakeMulFixed(MulParams* p) {
  p->fixed = MakeRequantFixedChannel(p->q, p->out_zero);
  p->fixed_holds = RequantFixedHolds(p->q, 255 * 255);
}

}  // namespace octet
