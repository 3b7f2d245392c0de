// What the convolution operators share: checks, and the translation into kernel shapes.
#pragma once

#include "kernels/common/requant.h"
#include "kernels/qs8_conv/qs8_conv.h"
#include "src/ops/op.h"

namespace octet {

// Clamps of the options, intersected with the output type's range.
struct ActRange {
  int32_t min, max;
};
ActRange OutputRange(const TensorView& out, int32_t act_min, int32_t act_max);

// Types and quantisation of (data, weights, optional bias) -> output: int8 or int16 activations
// with int8 weights. `channels` is the number of output channels, `weight_axis` the dimension of
// the weights along which scales may vary.
Status CheckQuantisedProduct(const OpView& op, int64_t channels, int32_t weight_axis,
                             size_t max_inputs = 3);

// The scales of such an operator. `float_product`: as in RequantScales.
RequantScales ProductScales(const OpView& op, bool float_product);

// Every channel's multiplier must be one the kernels can apply.
Status CheckMultipliers(const OpView& op, const RequantScales& scales, int64_t channels);

// Strides, dilations and paddings against the shapes, for windows over NHWC tensors. Bounds
// everything so that window arithmetic stays far from overflow.
Status CheckWindow(const TensorView& in, const TensorView& out, const fb::Conv2DOptions& options,
                   int32_t kernel_h, int32_t kernel_w);

// Rows of the input that rows of the output look at, clamped to the image; false for more than one
// batch.
bool WindowRows(const TensorView& in, const TensorView& out, int32_t kernel_h, int32_t stride_h,
                int32_t dilation_h, int32_t pad_top, RowRange rows, RowRange* needed);

// Binding::packed_inputs of convolutions: packs have the biases, and the weights as well unless the
// kernel is the reference, which reads them where they lie.
constexpr uint32_t kPackedWeights = 1u << 1, kPackedBias = 1u << 2;
constexpr uint32_t PackedInputs(Isa isa) {
  return isa == Isa::kScalar ? kPackedBias : kPackedWeights | kPackedBias;
}

// Below kMinMacsToSplit multiply-accumulates a step runs on one thread: handing a chunk to another
// costs some hundred nanoseconds. Chunks are larger than kMinMacsOfChunk where there are enough for
// all threads: each reads the weights anew.
constexpr uint64_t kMinMacsToSplit = 300000;
constexpr uint64_t kMinMacsOfChunk = 4000000;

// The grain (Threads::slices) that makes as many chunks of `items` as are worth their cost.
inline size_t ChunkGrain(size_t items, uint64_t macs, size_t threads) {
  uint64_t chunks = macs / kMinMacsOfChunk / threads * threads;
  if (chunks < threads) chunks = threads;
  return items > chunks ? items / static_cast<size_t>(chunks) : 1;
}

// What to do for a slice of rows or channels instead of only running the kernel.
struct ConvSlice {
  void (*run)(const void* context, const QS8ConvKernel& kernel, const QS8ConvRun& slice);
  const void* context;
};

// Runs rows [row_begin, row_end) of all channels, split over threads; `whole` has everything but
// ranges and scratch, which may be set in it: a small layer would wait for a copy.
void RunQS8Conv(const QS8ConvKernel& kernel, QS8ConvRun* whole, int32_t row_begin, int32_t row_end,
                uint8_t* scratch, size_t scratch_stride, const Threads& threads,
                const ConvSlice* slice = nullptr);

}  // namespace octet
