// Blocks of bytes and int32 or float lanes with NEON: the same names as in vector_avx2.h, so that
// one kernel body (*_vector.inc) serves all. For files compiled with these instruction sets only;
// internal linkage throughout.
//
// ARMv7 has no fused multiply-add everywhere, no division, no rounding to nearest even, and flushes
// denormal numbers: there kFixed is false, and kernels on float tensors are left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/common/requant_fixed.h"
#include "kernels/common/requant_neon.h"

// The name of a kernel of these instruction sets.
#define OCTET_KERNEL(base) base##Neon

#define OCTET_INLINE OCTET_NEON_INLINE
#define OCTET_MEMBER inline __attribute__((always_inline))

namespace octet {
namespace {

using VecI = int32x4_t;  // of any integers
using VecF = float32x4_t;
constexpr size_t kLanes = 4;   // int32 or float
constexpr size_t kBytes = 16;  // of a block, four vectors of lanes
#if defined(__aarch64__)
constexpr bool kFixed = true;  // RequantFixed, Fma and Round are exact
#else
constexpr bool kFixed = false;
#endif

OCTET_INLINE int8x16_t S8(VecI v) { return vreinterpretq_s8_s32(v); }
OCTET_INLINE int16x8_t S16(VecI v) { return vreinterpretq_s16_s32(v); }
OCTET_INLINE uint32x4_t U32(VecI v) { return vreinterpretq_u32_s32(v); }
OCTET_INLINE VecI FromS8(int8x16_t v) { return vreinterpretq_s32_s8(v); }
OCTET_INLINE VecI FromS16(int16x8_t v) { return vreinterpretq_s32_s16(v); }
OCTET_INLINE VecI FromU32(uint32x4_t v) { return vreinterpretq_s32_u32(v); }

OCTET_INLINE VecI LoadBytes(const void* p) {
  return FromS8(vld1q_s8(static_cast<const int8_t*>(p)));
}
OCTET_INLINE void StoreBytes(void* p, VecI v) { vst1q_s8(static_cast<int8_t*>(p), S8(v)); }
// n < kBytes of them; the rest is zero.
OCTET_INLINE VecI LoadPart(const void* p, size_t n) {
  uint8_t block[kBytes] = {};
  std::memcpy(block, p, n);
  return LoadBytes(block);
}
OCTET_INLINE void StorePart(void* p, VecI v, size_t n) {
  uint8_t block[kBytes];
  StoreBytes(block, v);
  std::memcpy(p, block, n);
}

OCTET_INLINE VecI WidenS8(uint32_t bytes) {
  const int8x8_t narrow = vreinterpret_s8_u32(vdup_n_u32(bytes));
  return vmovl_s16(vget_low_s16(vmovl_s8(narrow)));
}
// kLanes bytes, as int32.
OCTET_INLINE VecI LoadS8(const int8_t* p) {
  uint32_t bytes;
  std::memcpy(&bytes, p, 4);
  return WidenS8(bytes);
}
// n <= kLanes of them; the rest is zero.
OCTET_INLINE VecI LoadS8Part(const int8_t* p, size_t n) {
  if (n == kLanes) return LoadS8(p);
  uint32_t bytes = 0;
  for (size_t i = n; i-- > 0;) bytes = bytes << 8 | static_cast<uint8_t>(p[i]);
  return WidenS8(bytes);
}
// n <= kLanes int32, saturated.
OCTET_INLINE void StoreS8Part(int8_t* p, VecI v, size_t n) {
  const int16x4_t half = vqmovn_s32(v);
  const int8x8_t narrow = vqmovn_s16(vcombine_s16(half, half));
  uint32_t bytes = vget_lane_u32(vreinterpret_u32_s8(narrow), 0);
  if (n == kLanes) {
    std::memcpy(p, &bytes, 4);
    return;
  }
  for (size_t i = 0; i < n; ++i, bytes >>= 8) p[i] = static_cast<int8_t>(bytes);
}
OCTET_INLINE void StoreS16Part(int16_t* p, VecI v, size_t n) {
  int16_t block[kLanes];
  vst1_s16(block, vqmovn_s32(v));
  std::memcpy(p, block, n * 2);
}
OCTET_INLINE VecI LoadI32(const int32_t* p) { return vld1q_s32(p); }
OCTET_INLINE void StoreI32(int32_t* p, VecI v) { vst1q_s32(p, v); }
OCTET_INLINE VecF LoadF32(const float* p) { return vld1q_f32(p); }
OCTET_INLINE void StoreF32(float* p, VecF v) { vst1q_f32(p, v); }
// n <= kLanes of them; the rest is zero.
OCTET_INLINE VecI FirstLanes(size_t n) {
  static const uint32_t kIndex[kLanes] = {0, 1, 2, 3};
  return FromU32(vcltq_u32(vld1q_u32(kIndex), vdupq_n_u32(static_cast<uint32_t>(n))));
}
OCTET_INLINE VecF LoadF32Part(const float* p, size_t n) {
  if (n == kLanes) return LoadF32(p);
  float block[kLanes] = {};
  std::memcpy(block, p, n * sizeof(float));
  return LoadF32(block);
}
OCTET_INLINE void StoreF32Part(float* p, VecF v, size_t n) {
  if (n == kLanes) return StoreF32(p, v);
  float block[kLanes];
  StoreF32(block, v);
  std::memcpy(p, block, n * sizeof(float));
}

// kBytes / 2 bytes, as int16; sums of those; each half of int16 as int32.
OCTET_INLINE VecI LoadS8AsI16(const int8_t* p) { return FromS16(vmovl_s8(vld1_s8(p))); }
// kLanes int16, as int32.
OCTET_INLINE VecI LoadS16(const int16_t* p) { return vmovl_s16(vld1_s16(p)); }
// n <= kLanes int16, as int32; the rest is zero.
OCTET_INLINE VecI LoadS16Part(const int16_t* p, size_t n) {
  int16_t block[kLanes] = {};
  std::memcpy(block, p, n * 2);
  return vmovl_s16(vld1_s16(block));
}
OCTET_INLINE VecI SetI16(int32_t x) { return FromS16(vdupq_n_s16(static_cast<int16_t>(x))); }
OCTET_INLINE VecI SubI16(VecI a, VecI b) { return FromS16(vsubq_s16(S16(a), S16(b))); }
OCTET_INLINE VecI AddI16(VecI a, VecI b) { return FromS16(vaddq_s16(S16(a), S16(b))); }
OCTET_INLINE VecI FirstI16AsI32(VecI a) { return vmovl_s16(vget_low_s16(S16(a))); }
OCTET_INLINE VecI LastI16AsI32(VecI a) { return vmovl_s16(vget_high_s16(S16(a))); }
// Adds the products of int16 to int32 lanes: each lane gets two of them, in all every product one.
OCTET_INLINE VecI AddPairs(VecI sum, VecI a, VecI b) {
  sum = vmlal_s16(sum, vget_low_s16(S16(a)), vget_low_s16(S16(b)));
  return vmlal_s16(sum, vget_high_s16(S16(a)), vget_high_s16(S16(b)));
}
OCTET_INLINE int32_t SumLanes(VecI a) {
#if defined(__aarch64__)
  return vaddvq_s32(a);
#else
  const int32x2_t pair = vpadd_s32(vget_low_s32(a), vget_high_s32(a));
  return vget_lane_s32(vpadd_s32(pair, pair), 0);
#endif
}
OCTET_INLINE int64_t SumLanes64(VecI a) {
  const int64x2_t pairs = vpaddlq_s32(a);
  return vgetq_lane_s64(pairs, 0) + vgetq_lane_s64(pairs, 1);
}

OCTET_INLINE VecI SetI8(int32_t x) { return FromS8(vdupq_n_s8(static_cast<int8_t>(x))); }
OCTET_INLINE VecI SetI32(int32_t x) { return vdupq_n_s32(x); }
OCTET_INLINE VecF SetF32(float x) { return vdupq_n_f32(x); }
OCTET_INLINE VecI ZeroI() { return vdupq_n_s32(0); }

OCTET_INLINE VecI MinS8(VecI a, VecI b) { return FromS8(vminq_s8(S8(a), S8(b))); }
OCTET_INLINE VecI MaxS8(VecI a, VecI b) { return FromS8(vmaxq_s8(S8(a), S8(b))); }
OCTET_INLINE VecI MinI32(VecI a, VecI b) { return vminq_s32(a, b); }
OCTET_INLINE VecI MaxI32(VecI a, VecI b) { return vmaxq_s32(a, b); }
// These wrap.
OCTET_INLINE VecI AddI32(VecI a, VecI b) { return FromU32(vaddq_u32(U32(a), U32(b))); }
OCTET_INLINE VecI SubI32(VecI a, VecI b) { return FromU32(vsubq_u32(U32(a), U32(b))); }
OCTET_INLINE VecI MulI32(VecI a, VecI b) { return FromU32(vmulq_u32(U32(a), U32(b))); }
template <int kShift>
OCTET_INLINE VecI ShiftLeft(VecI a) {
  return vshlq_n_s32(a, kShift);
}
template <int kShift>
OCTET_INLINE VecI ShiftRight(VecI a) {
  return vshrq_n_s32(a, kShift);
}
template <int kShift>
OCTET_INLINE VecI ShiftRightLogical(VecI a) {
  return FromU32(vshrq_n_u32(U32(a), kShift));
}
OCTET_INLINE VecI And(VecI a, VecI b) { return vandq_s32(a, b); }
OCTET_INLINE VecI Xor(VecI a, VecI b) { return veorq_s32(a, b); }
// b where a is negative, else c.
OCTET_INLINE VecI WhereNegative(VecI a, VecI b, VecI c) {
  return vbslq_s32(U32(vshrq_n_s32(a, 31)), b, c);
}
// The first n <= kLanes lanes of a, the others of b.
OCTET_INLINE VecI FirstOr(VecI a, size_t n, VecI b) { return vbslq_s32(U32(FirstLanes(n)), a, b); }
OCTET_INLINE VecI Gather(const int32_t* table, VecI index) {
  VecI v = vdupq_n_s32(table[vgetq_lane_s32(index, 0)]);
  v = vsetq_lane_s32(table[vgetq_lane_s32(index, 1)], v, 1);
  v = vsetq_lane_s32(table[vgetq_lane_s32(index, 2)], v, 2);
  return vsetq_lane_s32(table[vgetq_lane_s32(index, 3)], v, 3);
}

OCTET_INLINE VecI RequantInteger(VecI acc, VecI multiplier, VecI shift) {
  const VecI zero = ZeroI();
  return RequantNeon<true, false>(acc,
                                  {multiplier, vminq_s32(shift, zero), vmaxq_s32(shift, zero)});
}

// Four vectors of int32, saturated to a block of bytes in order.
OCTET_INLINE VecI PackS8(VecI a, VecI b, VecI c, VecI d) {
  return FromS8(vcombine_s8(vqmovn_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b))),
                            vqmovn_s16(vcombine_s16(vqmovn_s32(c), vqmovn_s32(d)))));
}

// int16 x and y in turn.
OCTET_INLINE VecI SetPairs(int32_t x, int32_t y) {
  return FromS16(vsetq_lane_s16(static_cast<int16_t>(y), vdupq_n_s16(static_cast<int16_t>(x)), 1));
}
// 256 * (a * x + b * y) of two blocks of int8.
OCTET_INLINE void PairSums(const int8_t* a_data, const int8_t* b_data, VecI pairs,
                           VecI (&sums)[4]) {
  const int16x4_t xy = vget_low_s16(S16(pairs));
  for (size_t i = 0; i < 2; ++i) {
    const int16x8_t a = vshll_n_s8(vld1_s8(a_data + 8 * i), 8);
    const int16x8_t b = vshll_n_s8(vld1_s8(b_data + 8 * i), 8);
    sums[2 * i] = vmlal_lane_s16(vmull_lane_s16(vget_low_s16(a), xy, 0), vget_low_s16(b), xy, 1);
    sums[2 * i + 1] =
        vmlal_lane_s16(vmull_lane_s16(vget_high_s16(a), xy, 0), vget_high_s16(b), xy, 1);
  }
}

OCTET_INLINE VecF ToFloat(VecI a) { return vcvtq_f32_s32(a); }
OCTET_INLINE VecI Truncate(VecF a) { return vcvtq_s32_f32(a); }  // toward zero

#if defined(__aarch64__)

OCTET_INLINE VecI Round(VecF a) { return vcvtnq_s32_f32(a); }  // to nearest even
OCTET_INLINE VecF AddF32(VecF a, VecF b) { return vaddq_f32(a, b); }
OCTET_INLINE VecF SubF32(VecF a, VecF b) { return vsubq_f32(a, b); }
OCTET_INLINE VecF MulF32(VecF a, VecF b) { return vmulq_f32(a, b); }
OCTET_INLINE VecF DivF32(VecF a, VecF b) { return vdivq_f32(a, b); }
OCTET_INLINE VecF Fma(VecF a, VecF b, VecF c) { return vfmaq_f32(c, a, b); }
OCTET_INLINE VecF MinF32(VecF a, VecF b) { return vminq_f32(a, b); }
OCTET_INLINE VecF MaxF32(VecF a, VecF b) { return vmaxq_f32(a, b); }
OCTET_INLINE VecF NanToZero(VecF a) {
  return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a), vceqq_f32(a, a)));
}
// |magnitude| with the sign of a.
OCTET_INLINE VecF WithSign(VecF magnitude, VecF a) {
  return vbslq_f32(vdupq_n_u32(0x80000000u), a, magnitude);
}

// 16.16 fixed point (requant_fixed.h), where RequantFixedHolds.
struct RequantFixed {
  VecF scale, offset;
  VecI bias;

  explicit RequantFixed(const RequantFixedChannel& c)
      : scale(vdupq_n_f32(c.scale)),
        offset(vdupq_n_f32(c.offset)),
        bias(vcvtnq_s32_f32(vdupq_n_f32(c.bias))) {}
  OCTET_MEMBER VecI operator()(VecI acc) const {
    const VecI sign = vshrq_n_s32(acc, 31);
    const VecI signed_bias = vsubq_s32(veorq_s32(bias, sign), sign);
    return vaddq_s32(vcvtnq_s32_f32(vfmaq_f32(offset, vcvtq_f32_s32(acc), scale)), signed_bias);
  }
};

// PackS8 of the upper halves of 16.16 fixed point.
OCTET_INLINE VecI PackFixedS8(VecI a, VecI b, VecI c, VecI d) {
  return FromS8(
      vcombine_s8(vqmovn_s16(vuzp2q_s16(S16(a), S16(b))), vqmovn_s16(vuzp2q_s16(S16(c), S16(d)))));
}
// Whose lower halves are the lesser ones.
OCTET_INLINE VecI MinLowHalves(VecI a, VecI b) {
  return vreinterpretq_s32_u16(vminq_u16(vreinterpretq_u16_s32(a), vreinterpretq_u16_s32(b)));
}
// Is a lower half below `limit` (1 ... 32767)?
OCTET_INLINE bool AnyDoubt(VecI a, VecI b, VecI c, VecI d, int32_t limit) {
  const uint16x8_t low = vminq_u16(vreinterpretq_u16_s16(vuzp1q_s16(S16(a), S16(b))),
                                   vreinterpretq_u16_s16(vuzp1q_s16(S16(c), S16(d))));
  return vminvq_u16(low) < limit;
}

#else

OCTET_INLINE VecF DivF32(VecF a, VecF b) {
  float x[kLanes], y[kLanes];
  vst1q_f32(x, a);
  vst1q_f32(y, b);
  for (size_t i = 0; i < kLanes; ++i) x[i] /= y[i];
  return vld1q_f32(x);
}
// Never reached, since kFixed is false.
OCTET_INLINE VecI Round(VecF a) { return Truncate(a); }
OCTET_INLINE VecF Fma(VecF, VecF, VecF c) { return c; }
struct RequantFixed {
  explicit RequantFixed(const RequantFixedChannel&) {}
  OCTET_MEMBER VecI operator()(VecI acc) const { return acc; }
};
OCTET_INLINE VecI PackFixedS8(VecI a, VecI b, VecI c, VecI d) { return PackS8(a, b, c, d); }
OCTET_INLINE VecI MinLowHalves(VecI a, VecI) { return a; }
OCTET_INLINE bool AnyDoubt(VecI, VecI, VecI, VecI, int32_t) { return true; }

#endif  // __aarch64__

OCTET_INLINE VecI PackFixedSums(const VecI (&y)[4]) { return PackFixedS8(y[0], y[1], y[2], y[3]); }

}  // namespace
}  // namespace octet
