#include "kernels/x8_lut/x8_lut.h"

namespace octet {

Span<const X8LutKernel> X8LutTable() {
  static constexpr X8LutKernel kTable[] = {
      {"x8_lut__ref", Isa::kScalar, X8LutRef},
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
