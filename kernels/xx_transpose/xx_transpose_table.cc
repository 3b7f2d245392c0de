#include "kernels/xx_transpose/xx_transpose.h"

namespace octet {

Span<const XxTransposeKernel> XxTransposeTable() {
  static constexpr XxTransposeKernel kTable[] = {
      {"x8_transpose__ref", Isa::kScalar, 1, X8TransposeRef},
      {"x16_transpose__ref", Isa::kScalar, 2, X16TransposeRef},
      {"x32_transpose__ref", Isa::kScalar, 4, X32TransposeRef},
      {"x64_transpose__ref", Isa::kScalar, 8, X64TransposeRef},
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
