// One input channel, several output channels (the first layer of audio models): four columns of one
// row are the four bytes, the same for all channels, so staging is a gather of four bytes a pixel.
// Part of qs8_dwconv_x86_impl.h: internal linkage, over the including file's class `Ops`.
#pragma once

#include <cstring>

#include "kernels/qs8_dwconv/qs8_dwconv_x86_tiles.h"

namespace octet {
namespace {

// One row of outputs of one block. a.staged holds, for each tap, four bytes for each output pixel;
// taps lie a.plane apart, and the weight sets share them.
template <int P, Finish F>
OCTET_NOINLINE void Spread(const TileArgs& a, int32_t sets) {
  constexpr int T = 2;
  const int32_t basic = a.taps / sets;
  OCTET_NO_UNROLL for (int32_t v = 0; v < a.vectors; v += T) {
    Int acc[4][T];
    OCTET_UNROLL for (int j = 0; j < 4; ++j) {
      const Int bias = Ops::Load(a.pack + (kDwBias + j) * kV);
      OCTET_UNROLL for (int t = 0; t < T; ++t) acc[j][t] = bias;
    }
    const uint8_t* w = a.pack + kDwWeights * kV;
    OCTET_NO_UNROLL for (int32_t set = 0; set < sets; ++set) {
      const uint8_t* from = a.staged + static_cast<size_t>(v) * P * 4;
      OCTET_NO_UNROLL for (int32_t n = 0; n < basic; ++n) {
        Int x[T][kParts];
        OCTET_UNROLL for (int t = 0; t < T; ++t) {
          Ops::Parts(Ops::SpreadPixels<P>(from + t * P * 4), x[t]);
        }
        OCTET_UNROLL for (int j = 0; j < 4; ++j) {
          OCTET_UNROLL for (int part = 0; part < kParts; ++part) {
            const Int wj = Ops::Load(w + (j * kParts + part) * kV);
            OCTET_UNROLL for (int t = 0; t < T; ++t) {
              acc[j][t] = Ops::Dot(acc[j][t], x[t][part], wj);
            }
          }
        }
        from += a.plane;
        w += 4 * kParts * kV;
      }
    }
    alignas(64) int8_t bytes[T * kV];
    OCTET_UNROLL for (int t = 0; t < T; ++t) {
      Int half[2];
      OCTET_UNROLL for (int h = 0; h < 2; ++h) {
        half[h] = Ops::Pack32(FinishInt<F>(acc[2 * h][t], a.pack, 2 * h),
                              FinishInt<F>(acc[2 * h + 1][t], a.pack, 2 * h + 1));
        if (AddsZeroPoint(F)) half[h] = Ops::AddSaturate16(half[h], a.zero_point);
      }
      Ops::Store(bytes + t * kV, Ops::Clamp8(Ops::Pack16(half[0], half[1]), a.act_min, a.act_max));
    }
    StorePieces(bytes, 1, T, a, v);
  }
}

using SpreadFn = void (*)(const TileArgs&, int32_t sets);

template <int P>
SpreadFn PickSpread(Finish f) {
  if (f == Finish::kInteger) return Spread<P, Finish::kInteger>;
  return IsSigned(f) ? Spread<P, Finish::kSignedPatched> : Spread<P, Finish::kReluPatched>;
}

// The four bytes of each tap of one row of the window, for each output pixel. `row` is null outside
// the image; `padded` has room for the row with its borders and kDwX86SpreadSlack bytes.
void StageSpread(const QS8DwConvShape& s, const int8_t* row, uint8_t* padded, uint8_t* staged,
                 size_t plane) {
  const int32_t quads = (s.kernel_w + 3) / 4;
  const int32_t length = (s.out_w - 1) * s.stride_w + quads * 4;
  const uint8_t border = static_cast<uint8_t>(s.input_zero_point + 128);
  const int32_t begin = s.pad_left < length ? s.pad_left : length;
  const int32_t end = row == nullptr ? begin : begin + s.in_w < length ? begin + s.in_w : length;
  std::memset(padded, border, static_cast<size_t>(begin));
  for (int32_t i = begin; i < end; ++i) {
    padded[i] = static_cast<uint8_t>(row[i - begin]) ^ uint8_t { 0x80 };
  }
  std::memset(padded + end, border, static_cast<size_t>(length - end));
  alignas(16) uint8_t order[16];  // four pixels' bytes in the 16 from the first one's on
  for (int i = 0; i < 16; ++i) order[i] = static_cast<uint8_t>(i / 4 * s.stride_w + i % 4);
  const __m128i four = _mm_load_si128(reinterpret_cast<const __m128i*>(order));
  const int32_t by_four = s.stride_w <= 4 ? s.out_w & ~3 : 0;
  for (int32_t q = 0; q < quads; ++q) {
    const uint8_t* from = padded + 4 * q;
    int32_t x = 0;
    for (; x < by_four; x += 4) {
      _mm_storeu_si128(
          reinterpret_cast<__m128i*>(staged + 4 * static_cast<size_t>(x)),
          _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)), four));
      from += 4 * s.stride_w;
    }
    for (; x < s.out_w; ++x) {
      std::memcpy(staged + 4 * static_cast<size_t>(x), from, 4);
      from += s.stride_w;
    }
    staged += plane;
  }
}

}  // namespace
}  // namespace octet
