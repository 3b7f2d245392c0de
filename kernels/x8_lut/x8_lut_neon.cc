// tbl looks up 64 entries of four registers, and gives 0 (tbx: leaves the byte alone) where the
// index is beyond them.
#if defined(__aarch64__)
#include "kernels/common/vector_neon.h"
#include "kernels/x8_lut/x8_lut.h"

namespace octet {
namespace {

struct Table {
  uint8x16x4_t quarter[4];
};

OCTET_INLINE uint8x16_t LookUp(const Table& t, uint8x16_t x) {
  const uint8x16_t step = vdupq_n_u8(64);
  uint8x16_t y = vqtbl4q_u8(t.quarter[0], x);
#pragma GCC unroll 3
  for (int k = 1; k < 4; ++k) {
    x = vsubq_u8(x, step);
    y = vqtbx4q_u8(y, t.quarter[k], x);
  }
  return y;
}

}  // namespace

void X8LutNeon(const uint8_t* input, size_t n, const uint8_t* table, uint8_t* output) {
  Table t;
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) t.quarter[k].val[i] = vld1q_u8(table + 64 * k + 16 * i);
  }
  for (; n >= 2 * kBytes; n -= 2 * kBytes, input += 2 * kBytes, output += 2 * kBytes) {
    const uint8x16_t x0 = vld1q_u8(input), x1 = vld1q_u8(input + kBytes);
    vst1q_u8(output, LookUp(t, x0));
    vst1q_u8(output + kBytes, LookUp(t, x1));
  }
  if (n >= kBytes) {
    vst1q_u8(output, LookUp(t, vld1q_u8(input)));
    n -= kBytes, input += kBytes, output += kBytes;
  }
  for (; n > 0; --n) *output++ = table[*input++];
}

}  // namespace octet
#endif
