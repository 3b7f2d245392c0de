// What the x86 kernels of qs8_conv share. The pack, the geometry and the walk over the output are
// in qs8_conv_x86.cc, compiled for any CPU; a file with instruction-set flags supplies the
// functions of ConvX86Isa and nothing else.
//
// How a convolution runs. Input rows are copied once into scratch as the "panel": the form that
// the instruction set multiplies (x ^ 0x80 as unsigned bytes for vpdpbusd, int16 for vpmaddwd;
// AVX-512 makes x ^ 0x80 of x by itself), with zero points where the window leaves the image. In a
// panel the window of a pixel is a few runs of contiguous elements ("segments": one a kernel row,
// or one a tap with dilation or groups), at the same distances for every pixel. So a tile is a GEMM
// whose left side is a pointer a pixel: windows overlap in place, and a tile may take its pixels
// from several rows.
//
// Weights are packed in blocks of 16 output channels, as [segment][step][16][unit], where a step is
// `unit` consecutive elements: what one 32-bit lane of the multiplication takes. A kernel's tile is
// as many blocks wide as suits it. The kernel for at most 8 channels has one block, [8][8] a step,
// and two lanes a channel.
#pragma once

#include <cstddef>
#include <cstdint>

namespace octet {

struct QS8ConvShape;
struct QS8ConvConstants;
struct QS8ConvRun;

constexpr int32_t kConvX86Block = 16;
constexpr int32_t kConvX86MaxPixels = 128;  // of one job

// How a block's accumulators become bytes: by the integer formula (left shifts, or accumulators
// that 16.16 can't hold), or in fixed point (kernels/common/requant_fixed.h).
enum ConvX86Form : int32_t { kConvX86Integer = 0, kConvX86Signed = 1, kConvX86Relu = 2 };

// The form that a pack has there, which may be anything: what is none is the one that always holds.
inline ConvX86Form ConvX86FormOf(int32_t packed) {
  return packed == kConvX86Relu     ? kConvX86Relu
         : packed == kConvX86Signed ? kConvX86Signed
                                    : kConvX86Integer;
}

// Constants of a block, lanes in the order of the packed weights.
struct ConvX86Constants {
  int32_t bias[kConvX86Block];  // with everything that the zero points add
  float scale[kConvX86Block];
  union {
    float offset[kConvX86Block];     // kConvX86Relu: RequantFixedChannel::offset_relu
    float sign_bias[kConvX86Block];  // kConvX86Signed, AVX-512: RequantFixedChannel::bias
    float positive[kConvX86Block];   // kConvX86Signed, 256 bits: its offset + bias
  };
};

// What few layers or few results need: apart, so that no cache fetches it with the others.
struct ConvX86Rest {
  float negative[kConvX86Block];      // kConvX86Signed, 256 bits: offset - bias
  int32_t multiplier[kConvX86Block];  // the integer formula's
  int32_t shift[kConvX86Block];
};

// From accumulators to bytes.
struct ConvX86Output {
  int32_t zero_point = 0, act_min = -128, act_max = 127;
  // From each pixel's output to the next one's, where it is the same for all; else 0.
  ptrdiff_t out_pitch = 0;
};

// Pixels times blocks of channels, of one group: what an instruction set computes at a time.
struct ConvX86Job : ConvX86Output {
  const uint8_t* const* in = nullptr;   // where in the panel each pixel's window begins
  int8_t* const* out = nullptr;         // where each pixel's output begins
  ptrdiff_t in_offset = 0;              // to add to each of `in`: the group
  ptrdiff_t out_offset = 0;             // to add to each of `out`: the first block's lane 0
  const int32_t* correction = nullptr;  // to add to each pixel's accumulators; null: nothing
  int32_t pixels = 0;
  int32_t width = 0;    // of the rows that the pixels are cut from, the first whole; 0: unknown
  ptrdiff_t pitch = 0;  // in such a row, from one pixel's window to the next one's
  bool shared_taps = false;  // a segment is three pixels of whole steps each, a pitch apart
  int32_t segments = 0;
  const ptrdiff_t* segment_at = nullptr;  // from the window's beginning
  int32_t steps = 0;                      // of a segment
  const uint8_t* weights = nullptr;
  size_t block_bytes = 0;  // of weights, from one block to the next
  const ConvX86Constants* constants = nullptr;
  const ConvX86Rest* rest = nullptr;
  const int32_t* forms = nullptr;  // ConvX86Form of each block
  int32_t blocks = 0;
  int32_t lane_begin = 0, lane_end = 0;  // which channels, counted from the first block, are stored
  int32_t* tile_rows = nullptr;  // AMX: the rows of a tile as configured now; 0: not configured
};

// Which lane of a block's constants is which channel, and of its weights.
enum ConvX86Lanes : int32_t {
  kConvX86InOrder,  // AVX-512
  kConvX86EvenOdd,  // 256-bit: channels 0 2 4 ... 14 1 3 ... 15
  kConvX86Eight,  // AVX-512, up to 8 channels: weights in order, constants 0 1 0 1 2 3 2 3 ... 6 7
};

struct ConvX86Isa {
  int32_t unit;           // elements a step
  int32_t element_bytes;  // of the panel: 1 (x ^ 0x80, or x) or 2 (int16)
  ConvX86Lanes lanes;
  // Copies n elements into the panel. May write up to 64 bytes too far, reads not a byte too much.
  void (*copy)(const int8_t* from, size_t n, void* panel);
  // For each of a job's pixels (and some more, up to kConvX86MaxPixels) the sum of its window, n
  // elements a segment, as the signed values that they stand for. Only for kernels whose packed
  // weights may have a zero point.
  void (*sums)(const ConvX86Job& job, size_t n, int32_t* sums);
  void (*compute)(const ConvX86Job& job);
  bool signed_panel = false;  // the panel holds x, not x ^ 0x80
  // What AMX has different.
  bool signed_product = false;  // compute() multiplies x, not x + 128
  int32_t step_multiple = 1;    // steps of a segment are filled up to a multiple of this
  void (*release)() = nullptr;  // at the end of a run
};

size_t ConvX86PackBytes(const QS8ConvShape& shape, const ConvX86Isa& isa);
size_t ConvX86ScratchBytes(const QS8ConvShape& shape, const ConvX86Isa& isa);
void ConvX86Pack(const QS8ConvShape& shape, const QS8ConvConstants& k, const ConvX86Isa& isa,
                 void* pack);
void ConvX86Run(const QS8ConvRun& run, const ConvX86Isa& isa);

// The lane of a block's i-th channel: of its constants, of its weights.
inline int32_t ConvX86Lane(ConvX86Lanes lanes, int32_t i) {
  if (lanes == kConvX86Eight) return i / 2 * 4 + i % 2;  // and two lanes on
  return lanes == kConvX86EvenOdd ? i / 2 + i % 2 * (kConvX86Block / 2) : i;
}
inline int32_t ConvX86WeightLane(ConvX86Lanes lanes, int32_t i) {
  return lanes == kConvX86Eight ? i : ConvX86Lane(lanes, i);
}
inline int32_t ConvX86WeightLanes(ConvX86Lanes lanes) {
  return lanes == kConvX86Eight ? kConvX86Block / 2 : kConvX86Block;
}
// The constants of a block.
struct ConvX86BlockConstants {
  ConvX86Constants* constants;
  ConvX86Rest* rest;
};
// The constants of output channel n, and its form.
ConvX86Form ConvX86PackChannel(const QS8ConvShape& shape, const QS8ConvConstants& k,
                               const ConvX86Isa& isa, int32_t n, int32_t lane,
                               ConvX86BlockConstants to);
// What a block is before its channels are packed.
ConvX86Form ConvX86BeginBlock(const QS8ConvShape& shape, ConvX86Lanes lanes,
                              ConvX86BlockConstants to);

// Is AMX faster than AVX-512 VNNI here? By a model of both (docs/kernels.md).
bool ConvX86AmxPays(const QS8ConvShape& shape);

}  // namespace octet
