#include "kernels/qs8_mul/qs8_mul.h"

namespace octet {

Span<const BinaryKernel> Qs8MulTable() {
  static constexpr BinaryKernel kTable[] = {
      {"qs8_mul__ref", Isa::kScalar, Qs8MulRef},
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
