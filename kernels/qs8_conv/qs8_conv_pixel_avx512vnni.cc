// qs8_conv of a single pixel with AVX-512 VNNI: columns of up to 128 channels in registers.
#include "kernels/qs8_conv/qs8_conv_avx512.h"
#include "kernels/qs8_conv/qs8_conv_kernels.h"
#include "kernels/qs8_conv/qs8_conv_pixel_x86.h"

namespace octet {
namespace {

constexpr int kMaxBlocks = 8;    // of a column
constexpr int kStoreBlocks = 4;  // that share a vector of bytes
constexpr int32_t kUnit = kConvPixelUnit;

struct Pixel {
  const int8_t* in;
  int8_t* out;
  int32_t in_c;
  const ConvX86Output* output;
};

template <int kFirst, int kBlocks, int kAll>
static inline __attribute__((always_inline)) void StoreBlocks(const Pixel& p, Columns* c,
                                                              const ConvX86Constants* constants,
                                                              const ConvX86Rest* rest,
                                                              const __m512i (&all)[kAll],
                                                              __mmask64 store) {
  __m512i acc[1][kBlocks];
#pragma GCC unroll 4
  for (int v = 0; v < kBlocks; ++v) acc[0][v] = all[kFirst + v];
  c->constants = constants + kFirst;
  c->rest = rest + kFirst;
  c->store = store;
  int8_t* const out = p.out + kFirst * kConvX86Block;
  RequantMasks512 masks;
  RequantKeep512(&masks);
  if (__builtin_expect(Finish<1, kBlocks>(*p.output, *c, acc, masks, &out) != 0, 0)) {
    alignas(64) int32_t values[kBlocks * kConvX86Block];
#pragma GCC unroll 4
    for (int v = 0; v < kBlocks; ++v) _mm512_store_si512(values + v * kConvX86Block, acc[0][v]);
    StoreByInteger(*p.output, *c, values, 1, kBlocks, &out);
  }
}

// A column of kBlocks blocks, of which the first `lanes` channels are stored.
template <int kBlocks>
static void Column(const Pixel& p, const uint8_t* w, const ConvX86Rest* rest, int32_t lanes,
                   Columns* c) {
  // Enough accumulators that the latency of the multiplication does not show.
  constexpr int kChains = kBlocks <= 2 ? 4 : 2;
  constexpr size_t kStep = kBlocks * 64;
  const __m512i flip = _mm512_set1_epi8(INT8_MIN);  // x ^ 0x80 is x + 128 as an unsigned byte
  __m512i acc[kChains][kBlocks];
#pragma GCC unroll 4
  for (int i = 0; i < kChains; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kBlocks; ++v) acc[i][v] = _mm512_setzero_si512();
  }
  const auto step = [&](__m512i(&to)[kBlocks], __m512i x, const uint8_t* from)
      __attribute__((always_inline)) {
    const __m512i a = _mm512_xor_si512(x, flip);
#pragma GCC unroll 8
    for (int v = 0; v < kBlocks; ++v) {
      to[v] = _mm512_dpbusd_epi32(to[v], a, _mm512_load_si512(from + v * 64));
    }
  };
  const int8_t* in = p.in;
  int32_t steps = p.in_c / kUnit;
  for (; steps >= kChains; steps -= kChains, in += kChains * kUnit, w += kChains * kStep) {
#pragma GCC unroll 4
    for (int i = 0; i < kChains; ++i) {
      step(acc[i], _mm512_broadcastd_epi32(_mm_loadu_si32(in + i * kUnit)),
           w + static_cast<size_t>(i) * kStep);
    }
  }
  for (; steps > 0; --steps, in += kUnit, w += kStep) {
    step(acc[0], _mm512_broadcastd_epi32(_mm_loadu_si32(in)), w);
  }
  if (const int32_t left = p.in_c % kUnit; left > 0) {
    uint32_t x = 0;
    for (int32_t i = 0; i < left; ++i) x |= uint32_t{static_cast<uint8_t>(in[i])} << 8 * i;
    step(acc[0], _mm512_set1_epi32(static_cast<int32_t>(x)), w);
    w += kStep;
  }
  const ConvX86Constants* const constants = reinterpret_cast<const ConvX86Constants*>(w);
  __m512i sum[kBlocks];
#pragma GCC unroll 8
  for (int v = 0; v < kBlocks; ++v) {
    __m512i of_chains = acc[0][v];
    if (kChains == 2) of_chains = _mm512_add_epi32(of_chains, acc[kChains - 1][v]);
    if (kChains == 4) {
      of_chains = _mm512_add_epi32(_mm512_add_epi32(of_chains, acc[kChains - 3][v]),
                                   _mm512_add_epi32(acc[kChains - 2][v], acc[kChains - 1][v]));
    }
    sum[v] = _mm512_add_epi32(of_chains, _mm512_load_si512(constants[v].bias));
  }
  constexpr int kLow = kBlocks < kStoreBlocks ? kBlocks : kStoreBlocks;
  StoreBlocks<0, kLow>(p, c, constants, rest, sum, LaneMask(0, lanes));
  if constexpr (kBlocks > kStoreBlocks) {
    StoreBlocks<kLow, kBlocks - kLow>(p, c, constants, rest, sum, LaneMask(0, lanes - kLow * 16));
  }
}

using ColumnFn = void (*)(const Pixel&, const uint8_t*, const ConvX86Rest*, int32_t, Columns*);
constexpr ColumnFn kColumns[kMaxBlocks] = {Column<1>, Column<2>, Column<3>, Column<4>,
                                           Column<5>, Column<6>, Column<7>, Column<8>};

constexpr ConvPixelIsa kIsa = {kConvX86InOrder, kMaxBlocks};

}  // namespace

bool QS8ConvPixelAvx512VnniSupports(const QS8ConvShape& s) { return ConvPixelSupports(s); }
size_t QS8ConvPixelAvx512VnniPackBytes(const QS8ConvShape& s) {
  return ConvPixelPackBytes(s, kIsa);
}
size_t QS8ConvPixelAvx512VnniScratchBytes(const QS8ConvShape&) { return 0; }
void QS8ConvPixelAvx512VnniPack(const QS8ConvShape& s, const QS8ConvConstants& k, void* pack) {
  ConvPixelPack(s, k, kIsa, pack);
}

void QS8ConvPixelAvx512VnniRun(const QS8ConvRun& run) {
  const QS8ConvShape& s = *run.shape;
  const ConvPixelLayout l(s, kMaxBlocks);
  ConvX86Output output;
  output.zero_point = s.output_zero_point;
  output.act_min = s.act_min;
  output.act_max = s.act_max;
  Columns c;
  c.out_offset = 0;
  InitEpilogue(output, &c.epilogue);
  Pixel p{run.input.row(run.row_begin), run.output.row(run.row_begin) + run.channel_begin, s.in_c,
          &output};
  const uint8_t* const pack = static_cast<const uint8_t*>(run.pack);
  int32_t block = run.channel_begin / kConvX86Block;
  const int32_t* form = reinterpret_cast<const int32_t*>(pack) + block / kMaxBlocks;
  const uint8_t* column = pack + l.columns_at + static_cast<size_t>(block) * l.block_bytes;
  const ConvX86Rest* const rest = reinterpret_cast<const ConvX86Rest*>(pack + l.rest_at);
  for (; block * kConvX86Block < run.channel_end; block += kMaxBlocks, ++form) {
    const int32_t blocks = l.blocks - block < kMaxBlocks ? l.blocks - block : kMaxBlocks;
    c.form = ConvX86FormOf(*form);
    kColumns[blocks - 1](p, column, rest + block, run.channel_end - block * kConvX86Block, &c);
    p.out += kMaxBlocks * kConvX86Block;
    column += l.block_bytes * kMaxBlocks;
  }
}

}  // namespace octet
