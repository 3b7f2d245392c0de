// Requantisation (requant.h) in NEON's own fixed point, exact for every accumulator and multiplier.
//
// vqrdmulh is SaturatingRoundingDoublingHighMul. vrshl by -e rounds halves up where
// RoundingDivideByPOT rounds them away from zero, so negative numbers are lowered by 1 first, if
// e > 0. Layers whose clamp begins at or above the zero point (ReLU) need not bother: the result of
// a negative accumulator is clamped.
//
// For files with instruction-set flags: everything has internal linkage.
#pragma once

#include <arm_neon.h>

#define OCTET_NEON_INLINE static inline __attribute__((always_inline, unused))

namespace octet {

// Four channels. `right` is -e; `left` a shift to the left in front of all, 0 for most.
struct RequantNeonChannels {
  int32x4_t multiplier, right, left;
};

// kLeft: some `left` is not 0. kRelu: see above.
template <bool kRelu>
OCTET_NEON_INLINE int32x4_t RoundingShiftNeon(int32x4_t x, int32x4_t right) {
  if (!kRelu) x = vsraq_n_s32(x, vandq_s32(x, right), 31);
  return vrshlq_s32(x, right);
}
template <bool kLeft, bool kRelu>
OCTET_NEON_INLINE int32x4_t RequantNeon(int32x4_t acc, const RequantNeonChannels& c) {
  if (kLeft) acc = vshlq_s32(acc, c.left);
  return RoundingShiftNeon<kRelu>(vqrdmulhq_s32(acc, c.multiplier), c.right);
}

// Eight results, zero point added, saturated to bytes and clamped.
OCTET_NEON_INLINE int8x8_t RequantNeonBytes(int32x4_t a, int32x4_t b, int16x8_t zero_point,
                                            int8x8_t low, int8x8_t high) {
  const int16x8_t wide = vqaddq_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b)), zero_point);
  return vmin_s8(vmax_s8(vqmovn_s16(wide), low), high);
}

// Saturated to half the width, a below b.
OCTET_NEON_INLINE int16x8_t NarrowNeon(int32x4_t a, int32x4_t b) {
#if defined(__aarch64__)
  return vqmovn_high_s32(vqmovn_s32(a), b);
#else
  return vcombine_s16(vqmovn_s32(a), vqmovn_s32(b));
#endif
}
OCTET_NEON_INLINE int8x16_t NarrowNeon(int16x8_t a, int16x8_t b) {
#if defined(__aarch64__)
  return vqmovn_high_s16(vqmovn_s16(a), b);
#else
  return vcombine_s8(vqmovn_s16(a), vqmovn_s16(b));
#endif
}
OCTET_NEON_INLINE int8x16_t NarrowUnsignedNeon(int16x8_t a, int16x8_t b) {  // to [0, 255]
#if defined(__aarch64__)
  return vreinterpretq_s8_u8(vqmovun_high_s16(vqmovun_s16(a), b));
#else
  return vreinterpretq_s8_u8(vcombine_u8(vqmovun_s16(a), vqmovun_s16(b)));
#endif
}

// Products of the upper eight lanes; 32-bit ARM has no instruction for them.
OCTET_NEON_INLINE int16x8_t MulHigh(int8x16_t a, int8x16_t b) {
#if defined(__aarch64__)
  return vmull_high_s8(a, b);
#else
  return vmull_s8(vget_high_s8(a), vget_high_s8(b));
#endif
}
OCTET_NEON_INLINE int16x8_t MlaHigh(int16x8_t sum, int8x16_t a, int8x16_t b) {
#if defined(__aarch64__)
  return vmlal_high_s8(sum, a, b);
#else
  return vmlal_s8(sum, vget_high_s8(a), vget_high_s8(b));
#endif
}

// A load that compilers leave where it is written, and by itself: in-order CPUs wait for pairs.
OCTET_NEON_INLINE int8x16_t LoadHere(const int8_t* from) {
  int8x16_t x = vld1q_s8(from);
  asm volatile("" : "+w"(x));
  return x;
}

// Wrapping addition.
OCTET_NEON_INLINE int32x4_t AddNeon(int32x4_t a, int32x4_t b) {
  return vreinterpretq_s32_u32(vaddq_u32(vreinterpretq_u32_s32(a), vreinterpretq_u32_s32(b)));
}

}  // namespace octet
