#include "kernels/xx_copy/xx_copy.h"

namespace octet {

Span<const XxCopyKernel> XxCopyTable() {
  static constexpr XxCopyKernel kTable[] = {
      // Not "__ref": memcpy has vectors of its own.
      {"xx_copy", Isa::kScalar, XxCopyRunsRef, XxGatherRunsRef},
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
