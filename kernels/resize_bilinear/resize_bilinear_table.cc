#include "kernels/resize_bilinear/resize_bilinear.h"

namespace octet {

Span<const ResizeBilinearKernel> ResizeBilinearTable() {
  static constexpr ResizeBilinearKernel kTable[] = {
      {"s8_resize_bilinear__ref", Isa::kScalar, ResizeBilinearKind::kS8, S8ResizeBilinearRef},
      {"s16_resize_bilinear__ref", Isa::kScalar, ResizeBilinearKind::kS16, S16ResizeBilinearRef},
      {"u8_resize_bilinear__ref", Isa::kScalar, ResizeBilinearKind::kU8, U8ResizeBilinearRef},
      {"f32_resize_bilinear__ref", Isa::kScalar, ResizeBilinearKind::kF32, F32ResizeBilinearRef},
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
