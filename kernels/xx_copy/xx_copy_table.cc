#include "kernels/xx_copy/xx_copy.h"

namespace octet {

Span<const XxCopyKernel> XxCopyTable() {
  static constexpr XxCopyKernel kTable[] = {
      {"xx_copy__ref", Isa::kScalar, XxCopyRunsRef, XxGatherRunsRef},
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
