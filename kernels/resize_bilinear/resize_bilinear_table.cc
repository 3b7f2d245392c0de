#include "kernels/resize_bilinear/resize_bilinear.h"

namespace octet {

Span<const ResizeBilinearKernel> ResizeBilinearTable() {
  static constexpr ResizeBilinearKernel kTable[] = {
#define OCTET_RESIZE_BILINEAR(function, name, isa, kind) \
  {name, Isa::isa, ResizeBilinearKind::kind, function},
#include "kernels/resize_bilinear/resize_bilinear_table.inc"
#undef OCTET_RESIZE_BILINEAR
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
