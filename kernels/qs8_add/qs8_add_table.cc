#include "kernels/qs8_add/qs8_add.h"

namespace octet {

Span<const BinaryKernel> Qs8AddTable() {
  static constexpr BinaryKernel kTable[] = {
      {"qs8_add__ref", Isa::kScalar, Qs8AddRef},
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
