#include "kernels/x8_minmax/x8_minmax.h"

namespace octet {

Span<const BinaryKernel> S8MaxTable() {
  static constexpr BinaryKernel kTable[] = {
      {"s8_max__ref", Isa::kScalar, S8MaxRef},
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

Span<const BinaryKernel> S8MinTable() {
  static constexpr BinaryKernel kTable[] = {
      {"s8_min__ref", Isa::kScalar, S8MinRef},
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
