// qs8_conv with AVX-512 VNNI: tiles of up to 6 pixels x 64 channels in registers.
#include "kernels/common/requant_avx512.h"
#include "kernels/common/x86_intrinsics.h"
#include "kernels/qs8_conv/qs8_conv_kernels.h"
#include "kernels/qs8_conv/qs8_conv_x86.h"

namespace octet {
namespace {

constexpr int kMaxRows = 6;     // pixels of a tile
constexpr int kMaxVectors = 4;  // blocks of 16 channels of a tile

// What a tile needs to know about its channels.
struct Columns {
  const uint8_t* weights;
  const ConvX86Constants* constants;
  ConvX86Form form;  // the least that all of its blocks can do
  __mmask64 store;
};

static inline __m512i Splat(const uint8_t* p) { return _mm512_broadcastd_epi32(_mm_loadu_si32(p)); }

// The integer formula on accumulators in memory, for the rows of `rows`.
static __attribute__((noinline)) void StoreByInteger(const ConvX86Job& job, const Columns& c,
                                                     const int32_t* acc, int vectors, uint32_t rows,
                                                     int8_t* const* out) {
  const __m512i zero_point = _mm512_set1_epi16(static_cast<int16_t>(job.zero_point));
  const __m128i low = _mm_set1_epi8(static_cast<int8_t>(job.act_min));
  const __m128i high = _mm_set1_epi8(static_cast<int8_t>(job.act_max));
  for (int r = 0; rows >> r != 0; ++r) {
    if ((rows >> r & 1) == 0) continue;
    for (int v = 0; v < vectors; ++v) {
      const ConvX86Constants& k = c.constants[v];
      const __m512i scaled =
          RequantInteger512(_mm512_loadu_si512(acc + (r * kMaxVectors + v) * kConvX86Block),
                            _mm512_load_si512(k.multiplier), _mm512_load_si512(k.shift));
      // Saturating to 16 bits first changes nothing that the clamp to 8 bits would not.
      const __m512i wide = _mm512_adds_epi16(_mm512_packs_epi32(scaled, scaled), zero_point);
      // In each 128-bit lane: channels 4l .. 4l+3, twice.
      const __m512i bytes = _mm512_packs_epi16(wide, wide);
      const __m128i in_order = _mm512_castsi512_si128(_mm512_permutexvar_epi32(
          _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 8, 4, 0), bytes));
      const __m128i clamped = _mm_min_epi8(_mm_max_epi8(in_order, low), high);
      const __mmask16 mask = static_cast<__mmask16>(c.store >> (v * kConvX86Block));
      _mm_mask_storeu_epi8(out[r] + v * kConvX86Block, mask, clamped);
    }
  }
}

// Accumulators of one pixel, in fixed point, to bytes. False: a value is doubtful.
template <int kVectors, bool kRelu>
static inline __attribute__((always_inline)) bool StoreByFixed(
    const ConvX86Constants* k, const __m512i (&acc)[kVectors], __m512i offset, __m512i order,
    bool clamp, __m512i low, __m512i high, __mmask64 store, int8_t* out) {
  __m512i y[kMaxVectors];
  __m512i doubt = RequantDoubtStart512();
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    const __m512 scale = _mm512_load_ps(k[v].scale);
    y[v] = kRelu ? RequantRelu512(acc[v], scale, _mm512_load_ps(k[v].offset))
                 : RequantSigned512(acc[v], scale, _mm512_load_ps(k[v].sign_bias), offset);
    doubt = RequantDoubt512(doubt, y[v]);
  }
  const __m512i y1 = kVectors > 1 ? y[1] : y[0];
  const __m512i ab = RequantHalves512(y[0], y1);
  const __m512i cd = kVectors > 2 ? RequantHalves512(y[2], kVectors > 3 ? y[3] : y[2]) : ab;
  __m512i bytes = _mm512_permutexvar_epi8(order, _mm512_packs_epi16(ab, cd));
  if (clamp) bytes = _mm512_min_epi8(_mm512_max_epi8(bytes, low), high);
  if (__builtin_expect(RequantIsDoubtful512(doubt), 0)) return false;
  if (kVectors == 1) {
    _mm_mask_storeu_epi8(out, static_cast<__mmask16>(store), _mm512_castsi512_si128(bytes));
  } else if (kVectors == 2) {
    _mm256_mask_storeu_epi8(out, static_cast<__mmask32>(store), _mm512_castsi512_si256(bytes));
  } else {
    _mm512_mask_storeu_epi8(out, store, bytes);
  }
  return true;
}

// Where byte i of the output is after RequantHalves512 and packs.
alignas(64) constexpr uint8_t kOrder[64] = {
    0, 2,  4,  6,  16, 18, 20, 22, 32, 34, 36, 38, 48, 50, 52, 54,  //
    1, 3,  5,  7,  17, 19, 21, 23, 33, 35, 37, 39, 49, 51, 53, 55,  //
    8, 10, 12, 14, 24, 26, 28, 30, 40, 42, 44, 46, 56, 58, 60, 62,  //
    9, 11, 13, 15, 25, 27, 29, 31, 41, 43, 45, 47, 57, 59, 61, 63};

template <int kRows, int kVectors>
static void Tile(const ConvX86Job& job, const Columns& c, int32_t first) {
  // With few accumulators the latency of the multiplication shows: give each two of them.
  constexpr int kChains = kRows * kVectors <= 8 ? 2 : 1;
  __m512i acc[kRows][kVectors];
  __m512i other[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      acc[r][v] = _mm512_load_si512(c.constants[v].bias);
      other[r][v] = _mm512_setzero_si512();
    }
  }
  const uint8_t* in[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) in[r] = job.in[first + r];
  const uint8_t* w = c.weights;
  const size_t stride = job.block_bytes;

  for (int32_t i = 0; i < job.outer; ++i) {
    for (int32_t j = 0; j < job.inner; ++j) {
      ptrdiff_t at = i * job.outer_bytes + j * job.inner_bytes;
      int32_t steps = job.steps;
      if (kChains == 2) {
        for (; steps >= 2; steps -= 2, at += 8, w += 128) {
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

  alignas(64) int32_t spilled[kRows * kMaxVectors * kConvX86Block];
  uint32_t again = 0;
  const __m512i order = _mm512_load_si512(kOrder);
  const bool clamp = job.act_min != -128 || job.act_max != 127;
  const __m512i low = _mm512_set1_epi8(static_cast<int8_t>(job.act_min));
  const __m512i high = _mm512_set1_epi8(static_cast<int8_t>(job.act_max));
  const __m512i offset = _mm512_set1_epi32(job.zero_point * 65536 + 32768 + kRequantFixedDoubt / 2);
  int8_t* const* out = job.out + first;
  const auto keep = [&](int r) __attribute__((always_inline)) {
    again |= 1u << r;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      _mm512_store_si512(spilled + (r * kMaxVectors + v) * kConvX86Block, acc[r][v]);
    }
  };
  if (c.form == kConvX86Relu) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      if (!StoreByFixed<kVectors, true>(c.constants, acc[r], offset, order, clamp, low, high,
                                        c.store, out[r])) {
        keep(r);
      }
    }
  } else if (c.form == kConvX86Signed) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      if (!StoreByFixed<kVectors, false>(c.constants, acc[r], offset, order, clamp, low, high,
                                         c.store, out[r])) {
        keep(r);
      }
    }
  } else {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) keep(r);
  }
  if (__builtin_expect(again != 0, 0)) StoreByInteger(job, c, spilled, kVectors, again, out);
}

using TileFn = void (*)(const ConvX86Job&, const Columns&, int32_t);

constexpr TileFn kTiles[kMaxVectors][kMaxRows] = {
    {Tile<1, 1>, Tile<2, 1>, Tile<3, 1>, Tile<4, 1>, Tile<5, 1>, Tile<6, 1>},
    {Tile<1, 2>, Tile<2, 2>, Tile<3, 2>, Tile<4, 2>, Tile<5, 2>, Tile<6, 2>},
    {Tile<1, 3>, Tile<2, 3>, Tile<3, 3>, Tile<4, 3>, Tile<5, 3>, Tile<6, 3>},
    {Tile<1, 4>, Tile<2, 4>, Tile<3, 4>, Tile<4, 4>, Tile<5, 4>, Tile<6, 4>},
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
  ConvX86Job part = job;
  for (int32_t i = 0; i < parts; ++i) {
    const int32_t block = job.blocks * i / parts;
    const int32_t vectors = job.blocks * (i + 1) / parts - block;
    Columns c;
    c.weights = job.weights + static_cast<size_t>(block) * job.block_bytes;
    c.constants = job.constants + block;
    c.form = kConvX86Relu;
    for (int32_t v = 0; v < vectors; ++v) {
      const int32_t form = job.forms[block + v];
      if (form < c.form) c.form = form == kConvX86Signed ? kConvX86Signed : kConvX86Integer;
    }
    c.store =
        LaneMask(job.lane_begin - block * kConvX86Block, job.lane_end - block * kConvX86Block);
    int8_t* out[kConvX86MaxPixels];
    for (int32_t p = 0; p < job.pixels; ++p) out[p] = job.out[p] + block * kConvX86Block;
    part.out = out;
    for (int32_t t = 0; t < tiles; ++t) {
      const int32_t first = job.pixels * t / tiles;
      const int32_t rows = job.pixels * (t + 1) / tiles - first;
      kTiles[vectors - 1][rows - 1](part, c, first);
    }
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
