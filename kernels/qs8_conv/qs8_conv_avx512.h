// The end of qs8_conv's AVX-512 and AMX kernels: from accumulators of pixels x 16-channel blocks to
// bytes. For files compiled with these instruction sets only; internal linkage throughout.
#pragma once

#include "kernels/common/requant_avx512.h"
#include "kernels/common/x86_intrinsics.h"
#include "kernels/qs8_conv/qs8_conv_x86.h"

namespace octet {
namespace {

// Vectors of the epilogue. In memory whose contents the compiler does not know: it would rather
// make them again for every row, from general registers through the shuffle port.
struct Epilogue {
  alignas(64) int32_t sign[16];
  alignas(64) int32_t offset[16];
  alignas(64) uint16_t doubt[32];
  alignas(64) int8_t low[64];
  alignas(64) int8_t high[64];
};

// What a tile needs to know about its channels.
struct Columns {
  const uint8_t* weights;
  const ConvX86Constants* constants;
  const ConvX86Rest* rest;
  ConvX86Form form;  // the least that all of its blocks can do
  __mmask64 store;
  ptrdiff_t out_offset;  // of the first lane (not in a copy of the job: copies wait for its stores)
  Epilogue epilogue;
};

// Bits [begin, end).
static __mmask64 LaneMask(int32_t begin, int32_t end) {
  if (begin < 0) begin = 0;
  if (end > 64) end = 64;
  return (~uint64_t{0} >> (64 - end)) & (~uint64_t{0} << begin);
}

static void InitEpilogue(const ConvX86Output& job, Epilogue* e) {
  for (int i = 0; i < 16; ++i) {
    e->sign[i] = INT32_MIN;
    e->offset[i] = job.zero_point * 65536 + 32768 + kRequantFixedDoubt / 2;
  }
  for (int i = 0; i < 32; ++i) e->doubt[i] = kRequantFixedDoubt;
  for (int i = 0; i < 64; ++i) {
    e->low[i] = static_cast<int8_t>(job.act_min);
    e->high[i] = static_cast<int8_t>(job.act_max);
  }
}

// ConvX86Isa::copy, of x ^ 0x80 or x.
template <bool kFlip>
static inline void CopyRow(const int8_t* from, size_t n, void* panel) {
  const __m512i flip = _mm512_set1_epi8(kFlip ? INT8_MIN : 0);
  uint8_t* to = static_cast<uint8_t*>(panel);
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    _mm512_storeu_si512(to + i, _mm512_xor_si512(_mm512_loadu_si512(from + i), flip));
  }
  if (n - i <= 16) {  // of a small layer: what the last one has just stored waits for wider loads
    if (i == n) return;
    const __mmask16 mask = static_cast<__mmask16>(LaneMask(0, static_cast<int32_t>(n - i)));
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(to + i),
        _mm_xor_si128(_mm_maskz_loadu_epi8(mask, from + i), _mm512_castsi512_si128(flip)));
  } else {
    const __mmask64 mask = LaneMask(0, static_cast<int32_t>(n - i));
    _mm512_storeu_si512(to + i, _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, from + i), flip));
  }
}

// ConvX86Isa::sums of panels of x.
static inline __attribute__((unused)) void SumsOfSigned(const ConvX86Job& job, size_t n,
                                                        int32_t* sums) {
  const __m512i ones = _mm512_set1_epi8(1);
  const size_t whole = n / 64 * 64;
  const __mmask64 mask = whole == n ? 0 : LaneMask(0, static_cast<int32_t>(n - whole));
  // By fours; of the last four some twice (`sums` has room for kConvX86MaxPixels).
  for (int32_t p = 0; p < job.pixels; p += 4) {
    __m128i sum[4];
#pragma GCC unroll 4
    for (int32_t j = 0; j < 4; ++j) {
      const uint8_t* in = job.in[p + j < job.pixels ? p + j : job.pixels - 1] + job.in_offset;
      __m512i of_whole = _mm512_setzero_si512(), of_rest = of_whole;
      for (int32_t i = 0; i < job.segments; ++i) {
        const uint8_t* at = in + job.segment_at[i];
        for (size_t k = 0; k < whole; k += 64) {
          of_whole = _mm512_dpbusd_epi32(of_whole, ones, _mm512_loadu_si512(at + k));
        }
        if (mask == 0) continue;
        of_rest = _mm512_dpbusd_epi32(of_rest, ones, _mm512_maskz_loadu_epi8(mask, at + whole));
      }
      const __m512i all = _mm512_add_epi32(of_whole, of_rest);
      const __m256i half =
          _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
      sum[j] = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    }
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(sums + p),
        _mm_hadd_epi32(_mm_hadd_epi32(sum[0], sum[1]), _mm_hadd_epi32(sum[2], sum[3])));
  }
}

// The columns of blocks [block, block + vectors).
static inline void SetColumns(const ConvX86Job& job, int32_t block, int32_t vectors, Columns* c) {
  c->weights = job.weights + static_cast<size_t>(block) * job.block_bytes;
  c->constants = job.constants + block;
  c->rest = job.rest + block;
  c->out_offset = job.out_offset + block * kConvX86Block;
  c->form = kConvX86Relu;
  for (int32_t v = 0; v < vectors; ++v) {
    const int32_t form = job.forms[block + v];
    if (form < c->form) c->form = form == kConvX86Signed ? kConvX86Signed : kConvX86Integer;
  }
  c->store = LaneMask(job.lane_begin - block * kConvX86Block, job.lane_end - block * kConvX86Block);
}

// The integer formula on accumulators in memory.
static __attribute__((noinline, unused)) void StoreByInteger(const ConvX86Output& job,
                                                             const Columns& c, const int32_t* acc,
                                                             int rows, int vectors,
                                                             int8_t* const* out) {
  const __m512i zero_point = _mm512_set1_epi16(static_cast<int16_t>(job.zero_point));
  const __m128i low = _mm_set1_epi8(static_cast<int8_t>(job.act_min));
  const __m128i high = _mm_set1_epi8(static_cast<int8_t>(job.act_max));
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      const ConvX86Rest& k = c.rest[v];
      const __m512i scaled =
          RequantInteger512(_mm512_loadu_si512(acc + (r * vectors + v) * kConvX86Block),
                            _mm512_load_si512(k.multiplier), _mm512_load_si512(k.shift));
      // Saturating to 16 bits first changes nothing that the clamp to 8 bits would not.
      const __m512i wide = _mm512_adds_epi16(_mm512_packs_epi32(scaled, scaled), zero_point);
      // In each 128-bit lane: channels 4l .. 4l+3, twice.
      const __m512i bytes = _mm512_packs_epi16(wide, wide);
      const __m128i in_order = _mm512_castsi512_si128(_mm512_permutexvar_epi32(
          _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 8, 4, 0), bytes));
      const __m128i clamped = _mm_min_epi8(_mm_max_epi8(in_order, low), high);
      const __mmask16 mask = static_cast<__mmask16>(c.store >> (v * kConvX86Block));
      _mm_mask_storeu_epi8(out[r] + c.out_offset + v * kConvX86Block, mask, clamped);
    }
  }
}

// Where byte i of the output is after RequantHalves512 and packs.
alignas(64) constexpr uint8_t kOrder[64] = {
    0, 2,  4,  6,  16, 18, 20, 22, 32, 34, 36, 38, 48, 50, 52, 54,  //
    1, 3,  5,  7,  17, 19, 21, 23, 33, 35, 37, 39, 49, 51, 53, 55,  //
    8, 10, 12, 14, 24, 26, 28, 30, 40, 42, 44, 46, 56, 58, 60, 62,  //
    9, 11, 13, 15, 25, 27, 29, 31, 41, 43, 45, 47, 57, 59, 61, 63};

// Stores a pixel's part of `bytes`: kVectors blocks from block kFirst on, those lanes that the run
// is to write.
template <int kFirst, int kVectors>
static inline __attribute__((always_inline)) void StorePixel(__m512i bytes, bool whole,
                                                             __mmask64 store, int8_t* to) {
  if (__builtin_expect(!whole, 0)) {
    constexpr int kLanes = kFirst == 2 ? 14 : kFirst;  // from that block on
    _mm512_mask_storeu_epi8(to, store,
                            kFirst == 0 ? bytes : _mm512_shuffle_i32x4(bytes, bytes, kLanes));
  } else if (kVectors == 1) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_extracti32x4_epi32(bytes, kFirst));
  } else if (kVectors == 4) {
    _mm512_storeu_si512(to, bytes);
  } else {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm512_extracti64x4_epi64(bytes, kFirst / 2));
    if (kVectors == 3) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 32), _mm512_extracti32x4_epi32(bytes, 2));
    }
  }
}

// A tile's accumulators, in fixed point, to bytes; which pixels are in doubt (a bit each, or a bit
// for all that share a vector of bytes). Of narrow tiles four blocks of neighbouring pixels make a
// vector of bytes, which is stored as it is if it is `joined` in the output.
template <int kRows, int kVectors, bool kRelu>
static inline __attribute__((always_inline)) uint32_t StoreByFixed(
    const ConvX86Constants* k, const __m512i (&acc)[kRows][kVectors], const Epilogue& e,
    RequantMasks512 masks, bool clamp, bool joined, __mmask64 store, int8_t* const* out,
    ptrdiff_t out_offset) {
  constexpr int kShare = kVectors <= 2 && kRows * kVectors % 4 == 0 ? 4 / kVectors : 1;  // pixels
  constexpr int kGroups = kRows / kShare, kEach = kVectors * kShare;
  const __m512i limit = _mm512_load_si512(e.doubt);
  __m512i doubt[kGroups];
  __m512i halves[kGroups][2];
#pragma GCC unroll 2
  for (int v = 0; v < kEach; v += 2) {
    const int w = v + 1 < kEach ? v + 1 : v;
    const ConvX86Constants &kv = k[v % kVectors], &kw = k[w % kVectors];
    const __m512 scale_v = _mm512_load_ps(kv.scale), scale_w = _mm512_load_ps(kw.scale);
    const __m512 offset_v = _mm512_load_ps(kv.offset), offset_w = _mm512_load_ps(kw.offset);
#pragma GCC unroll 12
    for (int g = 0; g < kGroups; ++g) {
      const __m512i acc_v = acc[g * kShare + v / kVectors][v % kVectors];
      const __m512i acc_w = acc[g * kShare + w / kVectors][w % kVectors];
      __m512i y, z;
      if (kRelu) {
        y = RequantRelu512(acc_v, scale_v, offset_v);
        z = w == v ? y : RequantRelu512(acc_w, scale_w, offset_w);
      } else {
        const __m512i offset = _mm512_load_si512(e.offset);
        const __m512i sign = _mm512_load_si512(e.sign);
        y = RequantSigned512(acc_v, scale_v, offset_v, offset, sign);
        z = w == v ? y : RequantSigned512(acc_w, scale_w, offset_w, offset, sign);
      }
      doubt[g] = RequantDoubt512(v == 0 ? limit : doubt[g], y, masks);
      if (w != v) doubt[g] = RequantDoubt512(doubt[g], z, masks);
      halves[g][v / 2] = w == v ? _mm512_srli_epi32(y, 16) : RequantHalves512(y, z, masks);
    }
  }
  const bool whole = store == ~uint64_t{0} >> (64 - 16 * kVectors);
  const __m512i order = _mm512_load_si512(kOrder);
  __m512i all = doubt[0];
#pragma GCC unroll 12
  for (int g = 0; g < kGroups; ++g) {
    __m512i bytes = _mm512_permutexvar_epi8(
        order, _mm512_packs_epi16(halves[g][0], halves[g][kEach > 2 ? 1 : 0]));
    if (clamp) {
      bytes = _mm512_max_epi8(bytes, _mm512_load_si512(e.low));
      bytes = _mm512_min_epi8(bytes, _mm512_load_si512(e.high));
    }
    if (g > 0) all = _mm512_min_epu16(all, doubt[g]);
    int8_t* const* to = out + g * kShare;
    if (kShare > 1 && joined) {
      _mm512_storeu_si512(out[0] + out_offset + g * 64, bytes);
      continue;
    }
    StorePixel<0, kVectors>(bytes, whole, store, to[0] + out_offset);
    if constexpr (kShare == 2) StorePixel<2, kVectors>(bytes, whole, store, to[1] + out_offset);
    if constexpr (kShare == 4) {
      StorePixel<1, kVectors>(bytes, whole, store, to[1] + out_offset);
      StorePixel<2, kVectors>(bytes, whole, store, to[2] + out_offset);
      StorePixel<3, kVectors>(bytes, whole, store, to[3] + out_offset);
    }
  }
  uint32_t again = 0;
  if (__builtin_expect(RequantIsDoubtful512(all, limit), 0)) {
    constexpr uint32_t kPixels = (1u << kShare) - 1;
#pragma GCC unroll 12
    for (int g = 0; g < kGroups; ++g) {
      again |= (RequantIsDoubtful512(doubt[g], limit) ? kPixels : 0) << g * kShare;
    }
  }
  return again;
}

// Accumulators to bytes; which pixels are in doubt (a bit each).
template <int kRows, int kVectors>
static inline __attribute__((always_inline)) uint32_t Finish(const ConvX86Output& job,
                                                             const Columns& c,
                                                             const __m512i (&acc)[kRows][kVectors],
                                                             RequantMasks512 masks,
                                                             int8_t* const* out) {
  const bool clamp = job.act_min != -128 || job.act_max != 127;
  const bool joined = job.out_pitch == kVectors * kConvX86Block &&
                      c.store == ~uint64_t{0} >> (64 - kVectors * kConvX86Block);
  if (c.form == kConvX86Relu) {
    return StoreByFixed<kRows, kVectors, true>(c.constants, acc, c.epilogue, masks, clamp, joined,
                                               c.store, out, c.out_offset);
  }
  if (c.form == kConvX86Signed) {
    return StoreByFixed<kRows, kVectors, false>(c.constants, acc, c.epilogue, masks, clamp, joined,
                                                c.store, out, c.out_offset);
  }
  alignas(64) int32_t values[kRows * kVectors * kConvX86Block];
#pragma GCC unroll 24
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 12
    for (int v = 0; v < kVectors; ++v) {
      _mm512_store_si512(values + (r * kVectors + v) * kConvX86Block, acc[r][v]);
    }
  }
  StoreByInteger(job, c, values, kRows, kVectors, out);
  return 0;
}

}  // namespace
}  // namespace octet
