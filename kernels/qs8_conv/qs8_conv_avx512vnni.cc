// qs8_conv with AVX-512 VNNI: tiles of up to 6 pixels x 64 channels in registers.
#include "kernels/common/requant_avx512.h"
#include "kernels/common/x86_intrinsics.h"
#include "kernels/qs8_conv/qs8_conv_kernels.h"
#include "kernels/qs8_conv/qs8_conv_x86.h"

namespace octet {
namespace {

constexpr int kMaxRows = 6;     // pixels of a tile
constexpr int kMaxVectors = 4;  // blocks of 16 channels of a tile

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
  ConvX86Form form;  // the least that all of its blocks can do
  __mmask64 store;
  Epilogue epilogue;
};

// Addresses are base + index: without this the compiler advances a pointer for each pixel.
#define OCTET_ONE_INDEX(at, w) __asm__("" : "+r"(at), "+r"(w))

static inline __m512i Splat(const uint8_t* p) { return _mm512_broadcastd_epi32(_mm_loadu_si32(p)); }

// The integer formula on accumulators in memory.
static __attribute__((noinline)) void StoreByInteger(const ConvX86Job& job, const Columns& c,
                                                     const int32_t* acc, int rows, int vectors,
                                                     int8_t* const* out) {
  const __m512i zero_point = _mm512_set1_epi16(static_cast<int16_t>(job.zero_point));
  const __m128i low = _mm_set1_epi8(static_cast<int8_t>(job.act_min));
  const __m128i high = _mm_set1_epi8(static_cast<int8_t>(job.act_max));
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      const ConvX86Constants& k = c.constants[v];
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
      _mm_mask_storeu_epi8(out[r] + job.out_offset + v * kConvX86Block, mask, clamped);
    }
  }
}

// Where byte i of the output is after RequantHalves512 and packs.
alignas(64) constexpr uint8_t kOrder[64] = {
    0, 2,  4,  6,  16, 18, 20, 22, 32, 34, 36, 38, 48, 50, 52, 54,  //
    1, 3,  5,  7,  17, 19, 21, 23, 33, 35, 37, 39, 49, 51, 53, 55,  //
    8, 10, 12, 14, 24, 26, 28, 30, 40, 42, 44, 46, 56, 58, 60, 62,  //
    9, 11, 13, 15, 25, 27, 29, 31, 41, 43, 45, 47, 57, 59, 61, 63};

template <int kRows, int kVectors>
static void Tiles(const ConvX86Job& job, const Columns& c, int32_t first, int32_t count);

// Pixels of which fixed point was in doubt, once more.
template <int kVectors>
static __attribute__((noinline)) void ByInteger(const ConvX86Job& job, const Columns& c,
                                                int32_t first, uint32_t rows) {
  Columns exact = c;
  exact.form = kConvX86Integer;
  for (int32_t r = 0; rows >> r != 0; ++r) {
    if ((rows >> r & 1) != 0) Tiles<1, kVectors>(job, exact, first + r, 1);
  }
}

// A tile's accumulators, in fixed point, to bytes; which pixels are in doubt (a bit each).
template <int kRows, int kVectors, bool kRelu>
static inline __attribute__((always_inline)) uint32_t StoreByFixed(
    const ConvX86Constants* k, const __m512i (&acc)[kRows][kVectors], const Epilogue& e,
    RequantMasks512 masks, bool clamp, __mmask64 store, int8_t* const* out, ptrdiff_t out_offset) {
  const __m512i limit = _mm512_load_si512(e.doubt);
  __m512i doubt[kRows];
  __m512i halves[kRows][2];
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; v += 2) {
    const int w = v + 1 < kVectors ? v + 1 : v;
    const __m512 scale_v = _mm512_load_ps(k[v].scale), scale_w = _mm512_load_ps(k[w].scale);
    const __m512 offset_v = _mm512_load_ps(k[v].offset), offset_w = _mm512_load_ps(k[w].offset);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      __m512i y, z;
      if (kRelu) {
        y = RequantRelu512(acc[r][v], scale_v, offset_v);
        z = w == v ? y : RequantRelu512(acc[r][w], scale_w, offset_w);
      } else {
        const __m512i offset = _mm512_load_si512(e.offset);
        const __m512i sign = _mm512_load_si512(e.sign);
        y = RequantSigned512(acc[r][v], scale_v, offset_v, offset, sign);
        z = w == v ? y : RequantSigned512(acc[r][w], scale_w, offset_w, offset, sign);
      }
      doubt[r] = RequantDoubt512(v == 0 ? limit : doubt[r], y, masks);
      if (w != v) doubt[r] = RequantDoubt512(doubt[r], z, masks);
      halves[r][v / 2] = w == v ? _mm512_srli_epi32(y, 16) : RequantHalves512(y, z, masks);
    }
  }
  const bool whole = store == ~uint64_t{0} >> (64 - 16 * kVectors);
  const __m512i order = _mm512_load_si512(kOrder);
  __m512i all = doubt[0];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    __m512i bytes = _mm512_permutexvar_epi8(
        order, _mm512_packs_epi16(halves[r][0], halves[r][kVectors > 2 ? 1 : 0]));
    if (clamp) {
      bytes = _mm512_max_epi8(bytes, _mm512_load_si512(e.low));
      bytes = _mm512_min_epi8(bytes, _mm512_load_si512(e.high));
    }
    if (r > 0) all = _mm512_min_epu16(all, doubt[r]);
    int8_t* to = out[r] + out_offset;
    if (__builtin_expect(!whole, 0)) {
      _mm512_mask_storeu_epi8(to, store, bytes);
    } else if (kVectors == 1) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_castsi512_si128(bytes));
    } else if (kVectors == 4) {
      _mm512_storeu_si512(to, bytes);
    } else {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_castsi512_si256(bytes));
      if (kVectors == 3) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 32), _mm512_extracti32x4_epi32(bytes, 2));
      }
    }
  }
  uint32_t again = 0;
  if (__builtin_expect(RequantIsDoubtful512(all, limit), 0)) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      again |= static_cast<uint32_t>(RequantIsDoubtful512(doubt[r], limit)) << r;
    }
  }
  return again;
}

// `count` tiles of kRows pixels from pixel `first` on.
template <int kRows, int kVectors>
static void Tiles(const ConvX86Job& job, const Columns& c, int32_t first, int32_t count) {
  // With few accumulators the latency of the multiplication shows: give each two of them.
  constexpr int kChains = kRows * kVectors <= 8 ? 2 : 1;
  const ConvX86Constants* const constants = c.constants;
  const ConvX86Form form = c.form;
  const size_t stride = job.block_bytes;
  const bool clamp = job.act_min != -128 || job.act_max != 127;
  const __mmask64 store = c.store;
  RequantMasks512 masks;
  RequantKeep512(&masks);

  const ptrdiff_t in_offset = job.in_offset;
  for (; count > 0; --count, first += kRows) {
    __m512i acc[kRows][kVectors];
    __m512i other[kRows][kVectors];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        acc[r][v] = _mm512_load_si512(constants[v].bias);
        other[r][v] = _mm512_setzero_si512();
      }
    }
    const uint8_t* in[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) in[r] = job.in[first + r];
    const uint8_t* w = c.weights;

    for (int32_t i = 0; i < job.segments; ++i) {
      ptrdiff_t at = in_offset + job.segment_at[i];
      int32_t steps = job.steps;
      if (kChains == 2) {
        for (; steps >= 2; steps -= 2, at += 8, w += 128) {
          OCTET_ONE_INDEX(at, w);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) {
            const __m512i b0 = _mm512_load_si512(w + static_cast<size_t>(v) * stride);
            const __m512i b1 = _mm512_load_si512(w + static_cast<size_t>(v) * stride + 64);
#pragma GCC unroll 8
            for (int r = 0; r < kRows; ++r) {
              acc[r][v] = _mm512_dpbusd_epi32(acc[r][v], Splat(in[r] + at), b0);
              other[r][v] = _mm512_dpbusd_epi32(other[r][v], Splat(in[r] + at + 4), b1);
            }
          }
        }
      }
      for (; steps > 0; --steps, at += 4, w += 64) {
        OCTET_ONE_INDEX(at, w);
        __m512i b[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          b[v] = _mm512_load_si512(w + static_cast<size_t>(v) * stride);
        }
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
          const __m512i a = Splat(in[r] + at);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) {
            acc[r][v] = _mm512_dpbusd_epi32(acc[r][v], a, b[v]);
          }
        }
      }
    }

    if (kChains == 2) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) acc[r][v] = _mm512_add_epi32(acc[r][v], other[r][v]);
      }
    }
    if (job.correction != nullptr) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m512i correction = _mm512_set1_epi32(job.correction[first + r]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) acc[r][v] = _mm512_add_epi32(acc[r][v], correction);
      }
    }

    int8_t* const* out = job.out + first;
    uint32_t again = 0;
    if (form == kConvX86Relu) {
      again = StoreByFixed<kRows, kVectors, true>(constants, acc, c.epilogue, masks, clamp, store,
                                                  out, job.out_offset);
    } else if (form == kConvX86Signed) {
      again = StoreByFixed<kRows, kVectors, false>(constants, acc, c.epilogue, masks, clamp, store,
                                                   out, job.out_offset);
    } else {
      alignas(64) int32_t values[kRows * kVectors * kConvX86Block];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          _mm512_store_si512(values + (r * kVectors + v) * kConvX86Block, acc[r][v]);
        }
      }
      StoreByInteger(job, c, values, kRows, kVectors, out);
    }
    if (__builtin_expect(again != 0, 0)) ByInteger<kVectors>(job, c, first, again);
  }
}

using TilesFn = void (*)(const ConvX86Job&, const Columns&, int32_t, int32_t);

constexpr TilesFn kTiles[kMaxVectors][kMaxRows] = {
    {Tiles<1, 1>, Tiles<2, 1>, Tiles<3, 1>, Tiles<4, 1>, Tiles<5, 1>, Tiles<6, 1>},
    {Tiles<1, 2>, Tiles<2, 2>, Tiles<3, 2>, Tiles<4, 2>, Tiles<5, 2>, Tiles<6, 2>},
    {Tiles<1, 3>, Tiles<2, 3>, Tiles<3, 3>, Tiles<4, 3>, Tiles<5, 3>, Tiles<6, 3>},
    {Tiles<1, 4>, Tiles<2, 4>, Tiles<3, 4>, Tiles<4, 4>, Tiles<5, 4>, Tiles<6, 4>},
};

// Bits [begin, end).
static __mmask64 LaneMask(int32_t begin, int32_t end) {
  if (begin < 0) begin = 0;
  if (end > 64) end = 64;
  return (~uint64_t{0} >> (64 - end)) & (~uint64_t{0} << begin);
}

static void Compute(const ConvX86Job& job) {
  // Columns and pixels are cut evenly: 144 channels are 3 x 48, not 64 + 64 + 16.
  const int32_t parts = (job.blocks + kMaxVectors - 1) / kMaxVectors;
  const int32_t tiles = (job.pixels + kMaxRows - 1) / kMaxRows;
  const int32_t rows = job.pixels / tiles;
  const int32_t larger = job.pixels % tiles;  // tiles of a pixel more
  ConvX86Job part = job;
  Columns c;
  for (int i = 0; i < 16; ++i) {
    c.epilogue.sign[i] = INT32_MIN;
    c.epilogue.offset[i] = job.zero_point * 65536 + 32768 + kRequantFixedDoubt / 2;
  }
  for (int i = 0; i < 32; ++i) c.epilogue.doubt[i] = kRequantFixedDoubt;
  for (int i = 0; i < 64; ++i) {
    c.epilogue.low[i] = static_cast<int8_t>(job.act_min);
    c.epilogue.high[i] = static_cast<int8_t>(job.act_max);
  }
  for (int32_t i = 0; i < parts; ++i) {
    const int32_t block = job.blocks * i / parts;
    const int32_t vectors = job.blocks * (i + 1) / parts - block;
    c.weights = job.weights + static_cast<size_t>(block) * job.block_bytes;
    c.constants = job.constants + block;
    c.form = kConvX86Relu;
    for (int32_t v = 0; v < vectors; ++v) {
      const int32_t form = job.forms[block + v];
      if (form < c.form) c.form = form == kConvX86Signed ? kConvX86Signed : kConvX86Integer;
    }
    c.store =
        LaneMask(job.lane_begin - block * kConvX86Block, job.lane_end - block * kConvX86Block);
    part.out_offset = job.out_offset + block * kConvX86Block;
    if (larger > 0) kTiles[vectors - 1][rows](part, c, 0, larger);
    kTiles[vectors - 1][rows - 1](part, c, larger * (rows + 1), tiles - larger);
  }
}

static void Copy(const int8_t* from, size_t n, void* panel) {
  const __m512i flip = _mm512_set1_epi8(INT8_MIN);
  uint8_t* to = static_cast<uint8_t*>(panel);
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    _mm512_storeu_si512(to + i, _mm512_xor_si512(_mm512_loadu_si512(from + i), flip));
  }
  if (i < n) {
    const __mmask64 mask = LaneMask(0, static_cast<int32_t>(n - i));
    _mm512_storeu_si512(to + i, _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, from + i), flip));
  }
}

static int32_t Sum(const uint8_t* panel, size_t n) {
  __m512i sum = _mm512_setzero_si512();
  for (size_t i = 0; i < n; i += 64) {
    const size_t left = n - i;
    const __mmask64 mask = LaneMask(0, left < 64 ? static_cast<int32_t>(left) : 64);
    sum = _mm512_add_epi64(
        sum, _mm512_sad_epu8(_mm512_maskz_loadu_epi8(mask, panel + i), _mm512_setzero_si512()));
  }
  return static_cast<int32_t>(_mm512_reduce_add_epi64(sum) - static_cast<int64_t>(n) * 128);
}

constexpr ConvX86Isa kIsa = {4, 1, false, Copy, Sum, Compute};

}  // namespace

bool QS8ConvAvx512VnniSupports(const QS8ConvShape&) { return true; }
size_t QS8ConvAvx512VnniPackBytes(const QS8ConvShape& s) { return ConvX86PackBytes(s, kIsa); }
size_t QS8ConvAvx512VnniScratchBytes(const QS8ConvShape& s) { return ConvX86ScratchBytes(s, kIsa); }
void QS8ConvAvx512VnniPack(const QS8ConvShape& s, const QS8ConvConstants& k, void* pack) {
  ConvX86Pack(s, k, kIsa, pack);
}
void QS8ConvAvx512VnniRun(const QS8ConvRun& run) { ConvX86Run(run, kIsa); }

}  // namespace octet
