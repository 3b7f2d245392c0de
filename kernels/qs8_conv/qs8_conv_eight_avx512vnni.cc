// qs8_conv to at most 8 channels with AVX-512 VNNI: tiles of 8 pixels. A step is 8 elements deep:
// lanes 2c and 2c + 1 of an accumulator have halves of channel c's sum, so that no lane idles. Two
// pixels' accumulators add up to one vector, and the tile's eight pixels to one vector of bytes.
#include <cstring>

#include "kernels/qs8_conv/qs8_conv_avx512.h"
#include "kernels/qs8_conv/qs8_conv_kernels.h"

namespace octet {
namespace {

constexpr int32_t kChannels = 8;
constexpr int32_t kPixels = 8;  // of a tile

// Where byte i of a tile's output is after RequantHalves512 and packs, if each vector has
// channels 0 1 of one pixel, 0 1 of the next, then 2 3 of both ...
struct Order {
  alignas(64) uint8_t at[64];
  constexpr Order() : at() {
    for (int pixel = 0; pixel < kPixels; ++pixel) {
      for (int channel = 0; channel < kChannels; ++channel) {
        const int vector = pixel / 2, lane = pixel % 2 * 2 + channel % 2;
        at[pixel * kChannels + channel] =
            static_cast<uint8_t>(channel / 2 * 16 + vector / 2 * 8 + lane * 2 + vector % 2);
      }
    }
  }
};
constexpr Order kBytes;

struct Constants {
  const ConvX86Constants* k;
  const ConvX86Rest* rest;
  Epilogue epilogue;
};

// Bytes of `count` pixels to where they go.
static inline void StorePixels(__m512i bytes, const ConvX86Job& job, int32_t first, int32_t count) {
  int8_t* const* const out = job.out + first;
  if (count == kPixels && job.lane_end == kChannels &&
      out[kPixels - 1] - out[0] == 64 - kChannels) {
    _mm512_storeu_si512(out[0] + job.out_offset, bytes);
    return;
  }
  alignas(64) int8_t stored[64];
  _mm512_store_si512(stored, bytes);
  for (int32_t i = 0; i < count; ++i) {
    std::memcpy(out[i] + job.out_offset, stored + i * kChannels, static_cast<size_t>(job.lane_end));
  }
}

// A tile by the integer formula.
static __attribute__((noinline)) void StoreByInteger(const ConvX86Job& job, const Constants& c,
                                                     const __m512i* sum, int32_t first,
                                                     int32_t count) {
  const __m512i zero_point = _mm512_set1_epi16(static_cast<int16_t>(job.zero_point));
  __m512i wide[4];
  for (int i = 0; i < 4; ++i) {
    const __m512i scaled = RequantInteger512(sum[i], _mm512_load_si512(c.rest->multiplier),
                                             _mm512_load_si512(c.rest->shift));
    // Saturating to 16 bits first changes nothing that the clamp to 8 bits would not.
    const __m512i top = _mm512_set1_epi32(32767), bottom = _mm512_set1_epi32(-32768);
    wide[i] = _mm512_slli_epi32(_mm512_max_epi32(_mm512_min_epi32(scaled, top), bottom), 16);
  }
  __m512i halves[2];
  for (int i = 0; i < 2; ++i) {
    halves[i] = _mm512_adds_epi16(RequantHalves512(wide[2 * i], wide[2 * i + 1]), zero_point);
  }
  __m512i bytes = _mm512_permutexvar_epi8(_mm512_load_si512(kBytes.at),
                                          _mm512_packs_epi16(halves[0], halves[1]));
  bytes = _mm512_max_epi8(bytes, _mm512_load_si512(c.epilogue.low));
  bytes = _mm512_min_epi8(bytes, _mm512_load_si512(c.epilogue.high));
  StorePixels(bytes, job, first, count);
}

// The sums of a tile's pixels to bytes.
template <ConvX86Form kForm>
static inline __attribute__((always_inline)) void Finish(const ConvX86Job& job, const Constants& c,
                                                         const __m512i (&sum)[kPixels / 2],
                                                         RequantMasks512 masks, int32_t first,
                                                         int32_t count) {
  const Epilogue& e = c.epilogue;
  if (kForm != kConvX86Integer) {
    const __m512 scale = _mm512_load_ps(c.k->scale), offset = _mm512_load_ps(c.k->offset);
    const __m512i limit = _mm512_load_si512(e.doubt);
    __m512i doubt = limit;
    __m512i y[kPixels / 2];
#pragma GCC unroll 4
    for (int i = 0; i < kPixels / 2; ++i) {
      y[i] = kForm == kConvX86Relu
                 ? RequantRelu512(sum[i], scale, offset)
                 : RequantSigned512(sum[i], scale, offset, _mm512_load_si512(e.offset),
                                    _mm512_load_si512(e.sign));
      doubt = RequantDoubt512(doubt, y[i], masks);
    }
    __m512i bytes = _mm512_permutexvar_epi8(
        _mm512_load_si512(kBytes.at), _mm512_packs_epi16(RequantHalves512(y[0], y[1], masks),
                                                         RequantHalves512(y[2], y[3], masks)));
    bytes = _mm512_max_epi8(bytes, _mm512_load_si512(e.low));
    bytes = _mm512_min_epi8(bytes, _mm512_load_si512(e.high));
    if (__builtin_expect(!RequantIsDoubtful512(doubt, limit), 1)) {
      StorePixels(bytes, job, first, count);
      return;
    }
  }
  StoreByInteger(job, c, sum, first, count);
}

// Tiles of kPixels pixels. The last one's pixels behind `job.pixels` are computed as others are,
// from the last window, and not stored.
template <ConvX86Form kForm>
static void Tiles(const ConvX86Job& job, const Constants& c) {
  RequantMasks512 masks;
  RequantKeep512(&masks);
  for (int32_t first = 0; first < job.pixels; first += kPixels) {
    const int32_t left = job.pixels - first;
    const uint8_t* padded[kPixels];
    const uint8_t* const* in = job.in + first;
    if (left < kPixels) {
      for (int32_t i = 0; i < kPixels; ++i) padded[i] = in[i < left ? i : left - 1];
      in = padded;
    }
    __m512i acc[kPixels];
#pragma GCC unroll 8
    for (int r = 0; r < kPixels; ++r) acc[r] = _mm512_setzero_si512();
    const uint8_t* w = job.weights;
    for (int32_t i = 0; i < job.segments; ++i) {
      ptrdiff_t at = job.in_offset + job.segment_at[i];
      for (int32_t steps = job.steps; steps > 0; --steps, at += 8, w += 64) {
        const __m512i b = _mm512_load_si512(w);
#pragma GCC unroll 8
        for (int r = 0; r < kPixels; ++r) {
          const __m512i a = _mm512_broadcastq_epi64(
              _mm_loadl_epi64(reinterpret_cast<const __m128i*>(in[r] + at)));
          acc[r] = _mm512_dpbusd_epi32(acc[r], a, b);
        }
      }
    }
    const __m512i bias = _mm512_load_si512(c.k->bias);
    __m512i sum[kPixels / 2];
#pragma GCC unroll 8
    for (int i = 0; i < kPixels / 2; ++i) {
      const __m512 p = _mm512_castsi512_ps(acc[2 * i]), q = _mm512_castsi512_ps(acc[2 * i + 1]);
      const __m512i even = _mm512_castps_si512(_mm512_shuffle_ps(p, q, 0x88));
      const __m512i odd = _mm512_castps_si512(_mm512_shuffle_ps(p, q, 0xDD));
      sum[i] = _mm512_add_epi32(_mm512_add_epi32(even, odd), bias);
    }
    if (job.correction != nullptr) {
      for (int i = 0; i < kPixels / 2; ++i) {
        const int32_t p = first + 2 * i, last = job.pixels - 1;
        const __m128i two = _mm_setr_epi32(job.correction[p < last ? p : last], 0,
                                           job.correction[p + 1 < last ? p + 1 : last], 0);
        sum[i] = _mm512_add_epi32(
            sum[i], _mm512_broadcast_i32x4(_mm_shuffle_epi32(two, _MM_SHUFFLE(2, 2, 0, 0))));
      }
    }
    Finish<kForm>(job, c, sum, masks, first, left < kPixels ? left : kPixels);
  }
}

static void Compute(const ConvX86Job& job) {
  Constants c;
  c.k = job.constants;
  c.rest = job.rest;
  InitEpilogue(job, &c.epilogue);
  const int32_t form = job.forms[0];
  if (form == kConvX86Relu) return Tiles<kConvX86Relu>(job, c);
  if (form == kConvX86Signed) return Tiles<kConvX86Signed>(job, c);
  Tiles<kConvX86Integer>(job, c);
}

#include "kernels/qs8_conv/qs8_conv_x86_sums.inc"

constexpr ConvX86Isa kIsa = {8, 1, kConvX86Eight, CopyRow<true>, Sums, Compute};

}  // namespace

bool QS8ConvEightAvx512VnniSupports(const QS8ConvShape& s) {
  return s.groups == 1 && s.out_c <= kChannels;
}
size_t QS8ConvEightAvx512VnniPackBytes(const QS8ConvShape& s) { return ConvX86PackBytes(s, kIsa); }
size_t QS8ConvEightAvx512VnniScratchBytes(const QS8ConvShape& s) {
  return ConvX86ScratchBytes(s, kIsa);
}
void QS8ConvEightAvx512VnniPack(const QS8ConvShape& s, const QS8ConvConstants& k, void* pack) {
  ConvX86Pack(s, k, kIsa, pack);
}
void QS8ConvEightAvx512VnniRun(const QS8ConvRun& run) { ConvX86Run(run, kIsa); }

}  // namespace octet
