// Values become unsigned bytes whose order is reversed for the maximum, so that the best is always
// the smallest. A key is such a byte above its index within 256 elements: the smallest key is the
// answer.
#include <arm_neon.h>

#include <cstring>

#include "kernels/s8_argmax/s8_argmax.h"

namespace octet {
namespace {

#define OCTET_INLINE inline __attribute__((always_inline))

constexpr size_t kBlock = 16;

// 16 bytes, of which n exist and are read; the others are zero.
OCTET_INLINE uint8x16_t Load(const int8_t* p, size_t n) {
  if (n >= kBlock) return vreinterpretq_u8_s8(vld1q_s8(p));
  int8_t block[kBlock] = {};
  std::memcpy(block, p, n);
  return vreinterpretq_u8_s8(vld1q_s8(block));
}

OCTET_INLINE uint8x16_t Iota() {
  static const uint8_t kIota[kBlock] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return vld1q_u8(kIota);
}

OCTET_INLINE uint8x16_t Flip(ArgKind kind) {
  return vdupq_n_u8(kind == ArgKind::kMax ? 0x7F : 0x80);
}

OCTET_INLINE uint16x8_t SmallestKey(uint16x8_t best, uint8x16_t values, uint8x16_t index) {
  const uint8x16x2_t keys = vzipq_u8(index, values);
  best = vminq_u16(best, vreinterpretq_u16_u8(keys.val[0]));
  return vminq_u16(best, vreinterpretq_u16_u8(keys.val[1]));
}

OCTET_INLINE uint32_t SmallestLane(uint16x8_t keys) {
#if defined(__aarch64__)
  return vminvq_u16(keys);
#else
  uint16x4_t least = vpmin_u16(vget_low_u16(keys), vget_high_u16(keys));
  least = vpmin_u16(least, least);
  return vget_lane_u16(vpmin_u16(least, least), 0);
#endif
}

// The smallest key of n <= 256 elements.
OCTET_INLINE uint32_t Smallest(const int8_t* in, size_t n, uint8x16_t flip) {
  uint16x8_t best = vdupq_n_u16(0xFFFF);
  uint8x16_t at = Iota();
  size_t i = 0;
  for (; n - i >= kBlock; i += kBlock) {
    best = SmallestKey(best, veorq_u8(Load(in + i, kBlock), flip), at);
    at = vaddq_u8(at, vdupq_n_u8(kBlock));
  }
  if (i < n) {
    // What is beyond the end is as bad as can be, and has a larger index.
    const uint8x16_t beyond = vcgeq_u8(Iota(), vdupq_n_u8(static_cast<uint8_t>(n - i)));
    best = SmallestKey(best, vorrq_u8(veorq_u8(Load(in + i, n - i), flip), beyond), at);
  }
  return SmallestLane(best);
}

}  // namespace

void S8ArgNeonRows(ArgKind kind, const int8_t* input, size_t depth, size_t vectors,
                   int32_t* index) {
  constexpr size_t kPart = 256;
  const uint8x16_t flip = Flip(kind);
  for (size_t v = 0; v < vectors; ++v, input += depth) {
    uint32_t best = Smallest(input, depth < kPart ? depth : kPart, flip);
    index[v] = static_cast<int32_t>(best & 0xFF);
    for (size_t i = kPart; i < depth; i += kPart) {
      const uint32_t key = Smallest(input + i, depth - i < kPart ? depth - i : kPart, flip);
      if (key >> 8 >= best >> 8) continue;
      best = key;
      index[v] = static_cast<int32_t>(i + (key & 0xFF));
    }
  }
}

void S8ArgNeonColumns(ArgKind kind, const int8_t* input, size_t rows, size_t stride, size_t columns,
                      int32_t* index) {
  const uint8x16_t flip = Flip(kind);
  for (size_t c0 = 0; c0 < columns; c0 += kBlock) {
    const size_t n = columns - c0 < kBlock ? columns - c0 : kBlock;
    uint8_t where[kBlock], value[kBlock], best[kBlock];
    // Bands of rows whose indices fit a byte.
    for (size_t r0 = 0; r0 < rows; r0 += 256) {
      const size_t band = rows - r0 < 256 ? rows - r0 : 256;
      const int8_t* in = input + r0 * stride + c0;
      uint8x16_t top = veorq_u8(Load(in, n), flip);
      uint8x16_t at = vdupq_n_u8(0), row = at;
      for (size_t r = 1; r < band; ++r) {
        in += stride;
        row = vaddq_u8(row, vdupq_n_u8(1));
        const uint8x16_t x = veorq_u8(Load(in, n), flip);
        at = vbslq_u8(vcltq_u8(x, top), row, at);
        top = vminq_u8(top, x);
      }
      vst1q_u8(where, at);
      vst1q_u8(value, top);
      for (size_t c = 0; c < n; ++c) {
        if (r0 != 0 && value[c] >= best[c]) continue;
        best[c] = value[c];
        index[c0 + c] = static_cast<int32_t>(r0 + where[c]);
      }
    }
  }
}

}  // namespace octet
