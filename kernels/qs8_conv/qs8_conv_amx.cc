// qs8_conv with AMX: 2 x 2 tiles of up to 16 pixels x 16 channels, 64 elements of the dot product
// at a time. A tile takes its pixels at any fixed distance, so windows overlap where they lie; the
// packed weights of a block are tiles as they are. While tiles multiply, vector instructions turn
// the previous accumulators into bytes.

#include "kernels/qs8_conv/qs8_conv_avx512.h"
#include "kernels/qs8_conv/qs8_conv_kernels.h"

namespace octet {
namespace {

constexpr int32_t kTileRows = 16;
constexpr int32_t kTileBytes = 1024;
constexpr int32_t kGroup = 4;  // pixels that the epilogue takes at a time

// Pixels at equal distances.
struct PixelTile {
  const uint8_t* in;
  ptrdiff_t stride;
  int32_t first;
};

// Tiles 0..3 accumulate (pixel tile * 2 + block), 4 and 5 are pixels, 6 and 7 weights.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {};
};

static void Configure(int32_t rows) {
  TileConfig config;
  for (int i = 0; i < 6; ++i) config.rows[i] = static_cast<uint8_t>(rows);
  config.rows[6] = config.rows[7] = kTileRows;
  // The compiler's intrinsic does not say that all of the structure is read.
  __asm__ volatile("ldtilecfg %0" : : "m"(config));
}

static void Release() { __asm__ volatile("tilerelease"); }

// Accumulators that wait to become bytes.
struct Pending {
  alignas(64) int32_t acc[4][kTileRows * kConvX86Block];
  const Columns* columns;
  int32_t blocks;          // 1 or 2
  int32_t first[2];        // pixel of each tile's first row
  int32_t groups_of_tile;  // of kGroup rows; the last one may overlap the one before
  int32_t done, groups;
  int32_t rows;
};

template <int kRows, int kVectors>
static void StoreRows(const ConvX86Job& job, const Pending& p, int32_t tile, int32_t row) {
  const Columns& c = *p.columns;
  const int32_t first = p.first[tile] + row;
  int8_t* const* out = job.out + first;
  __m512i acc[kRows][kVectors];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    const int32_t more = job.correction != nullptr ? job.correction[first + r] : 0;
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      const int32_t* from = p.acc[tile * 2 + v] + (row + r) * kConvX86Block;
      acc[r][v] = _mm512_add_epi32(_mm512_load_si512(from), _mm512_load_si512(c.constants[v].bias));
      acc[r][v] = _mm512_add_epi32(acc[r][v], _mm512_set1_epi32(more));
    }
  }
  uint32_t again = (1u << kRows) - 1;
  const bool clamp = job.act_min != -128 || job.act_max != 127;
  RequantMasks512 masks;
  RequantKeep512(&masks);
  if (c.form == kConvX86Relu) {
    again = StoreByFixed<kRows, kVectors, true>(c.constants, acc, c.epilogue, masks, clamp, false,
                                                c.store, out, c.out_offset);
  } else if (c.form == kConvX86Signed) {
    again = StoreByFixed<kRows, kVectors, false>(c.constants, acc, c.epilogue, masks, clamp, false,
                                                 c.store, out, c.out_offset);
  }
  if (__builtin_expect(again == 0, 1)) return;
  alignas(64) int32_t values[kRows][kVectors * kConvX86Block];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      _mm512_store_si512(values[r] + v * kConvX86Block, acc[r][v]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    if ((again >> r & 1) != 0) StoreByInteger(job, c, values[r], 1, kVectors, out + r);
  }
}

// The next `count` groups of rows.
static __attribute__((noinline)) void Store(const ConvX86Job& job, Pending* p, int32_t count) {
  for (; count > 0 && p->done < p->groups; --count, ++p->done) {
    const int32_t tile = p->done / p->groups_of_tile;
    int32_t row = p->done % p->groups_of_tile * kGroup;
    if (p->rows < kGroup) {
      for (int32_t r = 0; r < p->rows; ++r) {
        p->blocks == 2 ? StoreRows<1, 2>(job, *p, tile, r) : StoreRows<1, 1>(job, *p, tile, r);
      }
      continue;
    }
    if (row > p->rows - kGroup) row = p->rows - kGroup;
    p->blocks == 2 ? StoreRows<kGroup, 2>(job, *p, tile, row)
                   : StoreRows<kGroup, 1>(job, *p, tile, row);
  }
}

// One or two tiles of pixels times one or two blocks of channels, into `to`; meanwhile `before` is
// stored.
template <int kPixelTiles, int kBlocks>
static void Multiply(const ConvX86Job& job, const PixelTile* tiles, const uint8_t* weights,
                     Pending* before, Pending* to) {
  const int32_t steps = job.steps / kTileRows;
  const int32_t all = job.segments * steps;
  const int32_t left = before->groups - before->done;
  const int32_t share = (left + all - 1) / all;
  const size_t a_stride = static_cast<size_t>(tiles[0].stride);
  const size_t b_stride = static_cast<size_t>(tiles[kPixelTiles - 1].stride);
  _tile_zero(0);
  if (kBlocks == 2) _tile_zero(1);
  if (kPixelTiles == 2) _tile_zero(2);
  if (kPixelTiles == 2 && kBlocks == 2) _tile_zero(3);
  for (int32_t i = 0; i < job.segments; ++i) {
    const ptrdiff_t at = job.in_offset + job.segment_at[i];
    const uint8_t* a = tiles[0].in + at;
    const uint8_t* b = tiles[kPixelTiles - 1].in + at;
    for (int32_t j = 0; j < steps; ++j, a += 64, b += 64, weights += kTileBytes) {
      _tile_loadd(6, weights, 64);
      _tile_loadd(4, a, a_stride);
      _tile_dpbssd(0, 4, 6);
      if (kBlocks == 2) {
        _tile_loadd(7, weights + job.block_bytes, 64);
        _tile_dpbssd(1, 4, 7);
      }
      if (kPixelTiles == 2) {
        _tile_loadd(5, b, b_stride);
        _tile_dpbssd(2, 5, 6);
        if (kBlocks == 2) _tile_dpbssd(3, 5, 7);
      }
      if (share > 0) Store(job, before, share);
    }
  }
  _tile_stored(0, to->acc[0], 64);
  if (kBlocks == 2) _tile_stored(1, to->acc[1], 64);
  if (kPixelTiles == 2) _tile_stored(2, to->acc[2], 64);
  if (kPixelTiles == 2 && kBlocks == 2) _tile_stored(3, to->acc[3], 64);
}

// Cuts a job's pixels into tiles of the same number of rows, which it returns.
static int32_t Cut(const ConvX86Job& job, PixelTile* tiles, int32_t* count) {
  // Stretches of pixels at equal distances: an image row, or everything.
  int32_t rows = kTileRows;
  for (int pass = 0; pass < 2; ++pass) {
    *count = 0;
    for (int32_t begin = 0; begin < job.pixels;) {
      int32_t end = begin + 1;
      const ptrdiff_t stride = end < job.pixels ? job.in[end] - job.in[begin] : 64;
      while (end < job.pixels && job.in[end] - job.in[end - 1] == stride) ++end;
      const int32_t n = end - begin;
      if (pass == 0) {
        const int32_t parts = (n + kTileRows - 1) / kTileRows;
        const int32_t even = (n + parts - 1) / parts;
        if (even < rows) rows = even;
      } else {
        // The last tile of a stretch may repeat pixels of the one before.
        for (int32_t at = 0; at < n; at += rows) {
          const int32_t first = begin + (at + rows <= n ? at : n - rows);
          tiles[(*count)++] = {job.in[first], stride, first};
        }
      }
      begin = end;
    }
  }
  return rows;
}

static void Compute(const ConvX86Job& job) {
  PixelTile tiles[kConvX86MaxPixels];
  int32_t count = 0;
  const int32_t rows = Cut(job, tiles, &count);
  if (*job.tile_rows != rows) {
    Configure(rows);
    *job.tile_rows = rows;
  }
  Pending pending[2];
  pending[0].groups = pending[0].done = pending[1].groups = pending[1].done = 0;
  Columns columns[2];
  InitEpilogue(job, &columns[0].epilogue);
  columns[1].epilogue = columns[0].epilogue;
  int turn = 0;
  for (int32_t block = 0, pair = 0; block < job.blocks; block += 2, ++pair) {
    const int32_t blocks = job.blocks - block < 2 ? 1 : 2;
    Columns* const c = &columns[pair % 2];  // the other may still be in use
    SetColumns(job, block, blocks, c);
    for (int32_t i = 0; i < count; i += 2) {
      const int32_t two = count - i < 2 ? 1 : 2;
      Pending* const before = &pending[turn];
      turn = 1 - turn;
      Pending* const to = &pending[turn];
      if (two == 2) {
        blocks == 2 ? Multiply<2, 2>(job, tiles + i, c->weights, before, to)
                    : Multiply<2, 1>(job, tiles + i, c->weights, before, to);
      } else {
        blocks == 2 ? Multiply<1, 2>(job, tiles + i, c->weights, before, to)
                    : Multiply<1, 1>(job, tiles + i, c->weights, before, to);
      }
      to->columns = c;
      to->blocks = blocks;
      to->first[0] = tiles[i].first;
      to->first[1] = tiles[i + two - 1].first;
      to->rows = rows;
      to->groups_of_tile = (rows + kGroup - 1) / kGroup;
      to->groups = two * to->groups_of_tile;
      to->done = 0;
    }
  }
  Store(job, &pending[turn], pending[turn].groups);
}

constexpr ConvX86Isa kIsa = {4,    1,    kConvX86InOrder, CopyRow<false>, SumsOfSigned, Compute,
                             true, true, kTileRows,       Release};

}  // namespace

// Any shape would do.
bool QS8ConvAmxSupports(const QS8ConvShape& s) { return ConvX86AmxPays(s); }
size_t QS8ConvAmxPackBytes(const QS8ConvShape& s) { return ConvX86PackBytes(s, kIsa); }
size_t QS8ConvAmxScratchBytes(const QS8ConvShape& s) { return ConvX86ScratchBytes(s, kIsa); }
void QS8ConvAmxPack(const QS8ConvShape& s, const QS8ConvConstants& k, void* pack) {
  ConvX86Pack(s, k, kIsa, pack);
}
void QS8ConvAmxRun(const QS8ConvRun& run) { ConvX86Run(run, kIsa); }

}  // namespace octet
