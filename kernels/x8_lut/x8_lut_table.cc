#include "kernels/x8_lut/x8_lut.h"

namespace octet {

Span<const X8LutKernel> X8LutTable() {
  static constexpr X8LutKernel kTable[] = {
#define OCTET_X8_LUT(function, name, isa) {name, Isa::isa, function},
#include "kernels/x8_lut/x8_lut_table.inc"
#undef OCTET_X8_LUT
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
