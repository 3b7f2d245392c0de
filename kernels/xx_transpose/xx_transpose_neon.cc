// Square tiles of 16 bytes a side: interleaving row i with row i + half, log2(rows) times, turns
// them. Edges go to the reference.
#include <arm_neon.h>

#include "kernels/xx_transpose/xx_transpose.h"

namespace octet {
namespace {

struct Bytes1 {
  static constexpr size_t kElement = 1, kRounds = 4;
  static void Zip(uint8x16_t a, uint8x16_t b, uint8x16_t* low, uint8x16_t* high) {
    const uint8x16x2_t z = vzipq_u8(a, b);
    *low = z.val[0];
    *high = z.val[1];
  }
};
struct Bytes2 {
  static constexpr size_t kElement = 2, kRounds = 3;
  static void Zip(uint8x16_t a, uint8x16_t b, uint8x16_t* low, uint8x16_t* high) {
    const uint16x8x2_t z = vzipq_u16(vreinterpretq_u16_u8(a), vreinterpretq_u16_u8(b));
    *low = vreinterpretq_u8_u16(z.val[0]);
    *high = vreinterpretq_u8_u16(z.val[1]);
  }
};
struct Bytes4 {
  static constexpr size_t kElement = 4, kRounds = 2;
  static void Zip(uint8x16_t a, uint8x16_t b, uint8x16_t* low, uint8x16_t* high) {
    const uint32x4x2_t z = vzipq_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b));
    *low = vreinterpretq_u8_u32(z.val[0]);
    *high = vreinterpretq_u8_u32(z.val[1]);
  }
};

template <class E>
inline __attribute__((always_inline)) void Tile(const uint8_t* from, ptrdiff_t from_stride,
                                                uint8_t* to, ptrdiff_t to_stride) {
  constexpr int kSide = 16 / E::kElement;
  uint8x16_t x[kSide], y[kSide];
#pragma GCC unroll 16
  for (int r = 0; r < kSide; ++r) x[r] = vld1q_u8(from + r * from_stride);
#pragma GCC unroll 4
  for (size_t round = 0; round < E::kRounds; ++round) {
#pragma GCC unroll 8
    for (int i = 0; i < kSide / 2; ++i) E::Zip(x[i], x[i + kSide / 2], &y[2 * i], &y[2 * i + 1]);
#pragma GCC unroll 16
    for (int i = 0; i < kSide; ++i) x[i] = y[i];
  }
#pragma GCC unroll 16
  for (int c = 0; c < kSide; ++c) vst1q_u8(to + c * to_stride, x[c]);
}

#include "kernels/xx_transpose/xx_transpose_tiles.inc"

}  // namespace

void X8TransposeNeon(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride,
                     size_t rows, size_t columns) {
  Turn<Bytes1>(from, from_stride, to, to_stride, rows, columns, X8TransposeRef);
}

void X16TransposeNeon(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride,
                      size_t rows, size_t columns) {
  Turn<Bytes2>(from, from_stride, to, to_stride, rows, columns, X16TransposeRef);
}

void X32TransposeNeon(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride,
                      size_t rows, size_t columns) {
  Turn<Bytes4>(from, from_stride, to, to_stride, rows, columns, X32TransposeRef);
}

}  // namespace octet
