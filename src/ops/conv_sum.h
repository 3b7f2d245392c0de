// A convolution to whose result another tensor is added: a residual connection. The convolution
// runs a few rows at a time into scratch, and the sum of those goes to the output while they are in
// the cache; the output may lie over the other tensor. Works with every kernel, and gives the bytes
// of CONV_2D and ADD one after the other.
#pragma once

#include "kernels/qs8_conv/qs8_conv.h"
#include "src/ops/add_params.h"
#include "src/ops/conv_common.h"

namespace octet {

constexpr size_t kSumInput = 3;

struct ConvSum {
  BinaryFn add;
  AddParams params;
  int32_t rows;           // of the result that are kept in scratch
  size_t kernel_scratch;  // bytes before them
};

inline bool HasSum(const OpView& op) { return op.input(kSumInput) != nullptr; }
Status CheckConvSum(const OpView& op);

// Bytes of scratch, the kernel's and the rows'. This and the next need the shape's run_rows.
size_t ConvSumScratch(const QS8ConvShape& shape, size_t kernel_scratch);
void InitConvSum(const OpView& op, const QS8ConvShape& shape, const QS8ConvKernel& kernel,
                 ConvSum* sum);
// `whole.output` is where the sums go.
void RunConvSum(const ConvSum& sum, const QS8ConvKernel& kernel, QS8ConvRun* whole,
                const RunContext& c);

}  // namespace octet
