// qs8_conv with AVX-512 VNNI: tiles of up to 6 pixels x 64 channels in registers.
#include "kernels/qs8_conv/qs8_conv_avx512.h"
#include "kernels/qs8_conv/qs8_conv_kernels.h"

namespace octet {
namespace {

// A tile has up to 24 vectors of accumulators: what it costs beside its multiplications is shared.
constexpr int kMaxVectors = 4;                        // blocks of 16 channels of a tile
constexpr int kMaxRows[kMaxVectors] = {8, 12, 8, 6};  // pixels, by blocks
constexpr int kMostRows = 12;

// Addresses are base + index: without this the compiler advances a pointer for each pixel.
#define OCTET_ONE_INDEX(at, w) __asm__("" : "+r"(at), "+r"(w))

// x + 128 of four bytes, in each lane: a load and one instruction, whose unit has little else to
// do, so panels hold x, and pointwise layers need none.
static inline __m512i Splat(const uint8_t* p) {
  return _mm512_xor_si512(_mm512_broadcastd_epi32(_mm_loadu_si32(p)), _mm512_set1_epi8(INT8_MIN));
}

template <int kRows, int kVectors>
static void Tiles(const ConvX86Job& job, const Columns& c, int32_t first, int32_t count);

// Pixels of which fixed point was in doubt, once more; those that share a vector of bytes together.
template <int kVectors>
static __attribute__((noinline)) void ByInteger(const ConvX86Job& job, const Columns& c,
                                                int32_t first, uint32_t rows) {
  constexpr int kShare = kVectors == 1 ? 4 : kVectors == 2 ? 2 : 1;
  Columns exact = c;
  exact.form = kConvX86Integer;
  while (rows != 0) {
    const int32_t r = __builtin_ctz(rows);
    const bool all = (rows >> r & ((1u << kShare) - 1)) == (1u << kShare) - 1;
    if (all) {
      Tiles<kShare, kVectors>(job, exact, first + r, 1);
    } else {
      Tiles<1, kVectors>(job, exact, first + r, 1);
    }
    rows &= ~((all ? (1u << kShare) - 1 : 1u) << r);
  }
}

// `count` tiles of kRows pixels from pixel `first` on.
template <int kRows, int kVectors>
static void Tiles(const ConvX86Job& job, const Columns& c, int32_t first, int32_t count) {
  // With few accumulators the latency of the multiplication shows: give each two of them.
  constexpr int kChains = kRows * kVectors <= 8 ? 2 : 1;
  const ConvX86Constants* const constants = c.constants;
  const size_t stride = job.block_bytes;
  RequantMasks512 masks;
  RequantKeep512(&masks);

  const ptrdiff_t in_offset = job.in_offset;
  for (; count > 0; --count, first += kRows) {
    __m512i acc[kRows][kVectors];
    __m512i other[kRows][kVectors];
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 12
      for (int v = 0; v < kVectors; ++v) {
        acc[r][v] = _mm512_load_si512(constants[v].bias);
        other[r][v] = _mm512_setzero_si512();
      }
    }
    const uint8_t* in[kRows];
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) in[r] = job.in[first + r];
    const uint8_t* w = c.weights;

    for (int32_t i = 0; i < job.segments; ++i) {
      ptrdiff_t at = in_offset + job.segment_at[i];
      int32_t steps = job.steps;
      if (kChains == 2) {
        for (; steps >= 2; steps -= 2, at += 8, w += 128) {
          OCTET_ONE_INDEX(at, w);
#pragma GCC unroll 12
          for (int v = 0; v < kVectors; ++v) {
            const __m512i b0 = _mm512_load_si512(w + static_cast<size_t>(v) * stride);
            const __m512i b1 = _mm512_load_si512(w + static_cast<size_t>(v) * stride + 64);
#pragma GCC unroll 12
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
#pragma GCC unroll 12
        for (int v = 0; v < kVectors; ++v) {
          b[v] = _mm512_load_si512(w + static_cast<size_t>(v) * stride);
        }
#pragma GCC unroll 12
        for (int r = 0; r < kRows; ++r) {
          const __m512i a = Splat(in[r] + at);
#pragma GCC unroll 12
          for (int v = 0; v < kVectors; ++v) {
            acc[r][v] = _mm512_dpbusd_epi32(acc[r][v], a, b[v]);
          }
        }
      }
    }

    if (kChains == 2) {
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 12
        for (int v = 0; v < kVectors; ++v) acc[r][v] = _mm512_add_epi32(acc[r][v], other[r][v]);
      }
    }
    if (job.correction != nullptr) {
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r) {
        const __m512i correction = _mm512_set1_epi32(job.correction[first + r]);
#pragma GCC unroll 12
        for (int v = 0; v < kVectors; ++v) acc[r][v] = _mm512_add_epi32(acc[r][v], correction);
      }
    }

    const uint32_t again = Finish<kRows, kVectors>(job, c, acc, masks, job.out + first);
    if (__builtin_expect(again != 0, 0)) ByInteger<kVectors>(job, c, first, again);
  }
}

// The same for 16 channels and neighbours in a row, at distances of job.pitch in the panel. There a
// splat serves one multiplication, and two loads a cycle are too few for two of those; so where
// windows of kTaps pixels overlap, it serves each of them.
template <int kRows, int kTaps>
static void RowTiles(const ConvX86Job& job, const Columns& c, int32_t first, int32_t count) {
  RequantMasks512 masks;
  RequantKeep512(&masks);
  const ptrdiff_t pitch = job.pitch;
  const size_t tap_bytes = static_cast<size_t>(job.steps / kTaps) * 64;
  for (; count > 0; --count, first += kRows) {
    __m512i acc[kRows][1];
#pragma GCC unroll 24
    for (int r = 0; r < kRows; ++r) acc[r][0] = _mm512_load_si512(c.constants->bias);
    const uint8_t* in = job.in[first] + job.in_offset;
    const uint8_t* w = c.weights;
    for (int32_t i = 0; i < job.segments; ++i) {
      const uint8_t* at = in + job.segment_at[i];
      for (const uint8_t* end = w + tap_bytes; w < end; w += 64, at += 4) {
        __m512i b[kTaps];
#pragma GCC unroll 3
        for (int t = 0; t < kTaps; ++t) b[t] = _mm512_load_si512(w + t * tap_bytes);
        const uint8_t* pixel = at;
#pragma GCC unroll 26
        for (int p = 0; p < kRows + kTaps - 1; ++p, pixel += pitch) {
          __asm__("" : "+r"(pixel));  // one pointer that advances, not one a pixel
          const __m512i a = Splat(pixel);
#pragma GCC unroll 3
          for (int t = 0; t < kTaps; ++t) {
            const int r = p - t;
            if (r >= 0 && r < kRows) acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], a, b[t]);
          }
        }
      }
      w += (kTaps - 1) * tap_bytes;
    }
    if (job.correction != nullptr) {
#pragma GCC unroll 24
      for (int r = 0; r < kRows; ++r) {
        const __m512i correction = _mm512_set1_epi32(job.correction[first + r]);
        acc[r][0] = _mm512_add_epi32(acc[r][0], correction);
      }
    }
    const uint32_t again = Finish<kRows, 1>(job, c, acc, masks, job.out + first);
    if (__builtin_expect(again != 0, 0)) ByInteger<1>(job, c, first, again);
  }
}

using TilesFn = void (*)(const ConvX86Job&, const Columns&, int32_t, int32_t);

// By blocks and pixels: multiples of kUnits pixels, and the rest. Narrow tiles' units are the
// pixels that share a vector of bytes.
constexpr int kUnits[kMaxVectors] = {4, 4, 2, 1};
constexpr TilesFn kTiles[kMaxVectors][kMostRows] = {
    {Tiles<1, 1>, Tiles<2, 1>, Tiles<3, 1>, Tiles<4, 1>, nullptr, nullptr, nullptr, Tiles<8, 1>},
    {Tiles<1, 2>, Tiles<2, 2>, Tiles<3, 2>, Tiles<4, 2>, nullptr, nullptr, nullptr, Tiles<8, 2>,
     nullptr, nullptr, nullptr, Tiles<12, 2>},
    {Tiles<1, 3>, Tiles<2, 3>, nullptr, Tiles<4, 3>, nullptr, Tiles<6, 3>, nullptr, Tiles<8, 3>},
    {Tiles<1, 4>, Tiles<2, 4>, Tiles<3, 4>, Tiles<4, 4>, Tiles<5, 4>, Tiles<6, 4>},
};

// Of neighbours: by units of 4 pixels, and whether three of a window's share splats.
constexpr int32_t kRowUnit = 4, kMostRowUnits = 6;
constexpr TilesFn kRowTiles[2][kMostRowUnits] = {
    {RowTiles<4, 1>, RowTiles<8, 1>, RowTiles<12, 1>, RowTiles<16, 1>, RowTiles<20, 1>,
     RowTiles<24, 1>},
    {RowTiles<4, 3>, RowTiles<8, 3>, RowTiles<12, 3>, RowTiles<16, 3>, RowTiles<20, 3>,
     RowTiles<24, 3>},
};

// One block of channels, rows of job.width pixels.
static void ComputeRows(const ConvX86Job& job, const Columns& c) {
  const TilesFn* const run = kRowTiles[job.shared_taps ? 1 : 0];
  for (int32_t row = 0; row < job.pixels; row += job.width) {
    const int32_t pixels = job.width < job.pixels - row ? job.width : job.pixels - row;
    const int32_t units = pixels / kRowUnit;
    const int32_t tiles = (units + kMostRowUnits - 1) / kMostRowUnits;
    int32_t done = row;
    if (tiles > 0) {
      const int32_t each = units / tiles, larger = units % tiles;
      if (larger > 0) run[each](job, c, done, larger);
      done += larger * (each + 1) * kRowUnit;
      run[each - 1](job, c, done, tiles - larger);
      done += (tiles - larger) * each * kRowUnit;
    }
    const int32_t rest = row + pixels - done;
    if (rest > 0) kTiles[0][rest - 1](job, c, done, 1);
  }
}

// Pixels cut evenly into tiles of whole units: `larger` of rows + unit pixels, `smaller` of rows,
// and a rest below a unit.
struct Cut {
  int32_t unit, rows, larger, smaller;
};

template <int kVectors>
static Cut CutPixels(int32_t pixels) {
  constexpr int kUnit = kUnits[kVectors - 1], kMost = kMaxRows[kVectors - 1];
  const uint32_t units = static_cast<uint32_t>(pixels) / kUnit;
  const uint32_t tiles = (units + kMost / kUnit - 1) / (kMost / kUnit);
  if (tiles <= 1)
    return {kUnit, static_cast<int32_t>(units * kUnit), 0, static_cast<int32_t>(tiles)};
  const uint32_t rows = units / tiles, larger = units % tiles;
  return {kUnit, static_cast<int32_t>(rows * kUnit), static_cast<int32_t>(larger),
          static_cast<int32_t>(tiles - larger)};
}

static void Compute(const ConvX86Job& job) {
  // Columns and pixels are cut evenly: 144 channels are 3 x 48, not 64 + 64 + 16.
  const int32_t parts = (job.blocks + kMaxVectors - 1) / kMaxVectors;
  Columns c;
  InitEpilogue(job, &c.epilogue);
  for (int32_t i = 0; i < parts; ++i) {
    const int32_t block = parts == 1 ? 0 : job.blocks * i / parts;
    const int32_t vectors = parts == 1 ? job.blocks : job.blocks * (i + 1) / parts - block;
    SetColumns(job, block, vectors, &c);
    if (vectors == 1 && job.width >= 2 * kRowUnit) {
      ComputeRows(job, c);
      continue;
    }
    const Cut cut = vectors == 1   ? CutPixels<1>(job.pixels)
                    : vectors == 2 ? CutPixels<2>(job.pixels)
                    : vectors == 3 ? CutPixels<3>(job.pixels)
                                   : CutPixels<4>(job.pixels);
    const TilesFn* const run = kTiles[vectors - 1];
    if (cut.larger > 0) run[cut.rows + cut.unit - 1](job, c, 0, cut.larger);
    int32_t done = cut.larger * (cut.rows + cut.unit);
    if (cut.smaller > 0) run[cut.rows - 1](job, c, done, cut.smaller);
    done += cut.smaller * cut.rows;
    if (done < job.pixels) run[job.pixels - done - 1](job, c, done, 1);
  }
}

constexpr ConvX86Isa kIsa = {4, 1, kConvX86InOrder, CopyRow<false>, SumsOfSigned, Compute, true};

}  // namespace

bool QS8ConvAvx512VnniSupports(const QS8ConvShape&) { return true; }
size_t QS8ConvAvx512VnniPackBytes(const QS8ConvShape& s) { return ConvX86PackBytes(s, kIsa); }
size_t QS8ConvAvx512VnniScratchBytes(const QS8ConvShape& s) { return ConvX86ScratchBytes(s, kIsa); }
void QS8ConvAvx512VnniPack(const QS8ConvShape& s, const QS8ConvConstants& k, void* pack) {
  ConvX86Pack(s, k, kIsa, pack);
}
void QS8ConvAvx512VnniRun(const QS8ConvRun& run) { ConvX86Run(run, kIsa); }

}  // namespace octet
