#include "src/ops/conv_sum.h"

#include <cmath>

namespace octet {
namespace {

size_t RoundUp64(size_t n) { return (n + 63) / 64 * 64; }

size_t RowBytes(const QS8ConvShape& s) {
  return static_cast<size_t>(s.out_w) * static_cast<size_t>(s.out_c);
}

// Enough pixels for the kernel to be at its best; more where windows overlap, since each block of
// rows fetches the rows that it shares with the last once more.
int32_t BlockRows(const QS8ConvShape& s) {
  if (s.run_rows > 0) return 1;  // a plan that saves RAM
  const int32_t pixels = s.kernel_h > s.stride_h ? 256 : 128;
  const int32_t rows = (pixels + s.out_w - 1) / s.out_w;
  return rows < s.out_h ? rows : s.out_h;
}

struct SumRun {
  const ConvSum& sum;
  Rows<const int8_t> other;
  Rows<int8_t> output;
};

void RunSlice(const void* context, const QS8ConvKernel& kernel, const QS8ConvRun& slice) {
  const SumRun& r = *static_cast<const SumRun*>(context);
  const QS8ConvShape& s = *slice.shape;
  const ConvSum& sum = r.sum;
  const size_t row = RowBytes(s), out_c = static_cast<size_t>(s.out_c);
  int8_t* rows = static_cast<int8_t*>(slice.scratch) + sum.kernel_scratch;
  QS8ConvRun block = slice;
  block.output = {rows, row, sum.rows};
  for (int32_t y = slice.row_begin; y < slice.row_end; y = block.row_end) {
    const int32_t left = sum.rows - y % sum.rows;
    block.row_begin = y;
    block.row_end = slice.row_end - y < left ? slice.row_end : y + left;
    kernel.run(block);
    const size_t first = static_cast<size_t>(slice.channel_begin);
    const size_t channels = static_cast<size_t>(slice.channel_end) - first;
    for (int32_t i = y; i < block.row_end;) {
      const int8_t* a = block.output.row(i);
      if (channels == out_c) {
        const int32_t n = r.output.contiguous(i, r.other.contiguous(i, block.row_end - i));
        sum.add(static_cast<size_t>(n) * row, a, 1, r.other.row(i), 1, r.output.row(i),
                &sum.params);
        i += n;
        continue;
      }
      for (size_t at = first; at < row; at += out_c) {
        sum.add(channels, a + at, 1, r.other.row(i) + at, 1, r.output.row(i) + at, &sum.params);
      }
      ++i;
    }
  }
}

bool MakeSum(const OpView& op, AddParams* params) {
  const fb::Conv2DOptions& o = *op.options<fb::Conv2DOptions>();
  const TensorView &other = op.in(kSumInput), &out = op.out();
  return MakeQuantisedAdd({o.result_scale(), o.result_zero_point()},
                          {other.scale(), other.zero_point}, {out.scale(), out.zero_point}, 20,
                          params);
}

}  // namespace

Status CheckConvSum(const OpView& op) {
  const fb::Conv2DOptions& o = *op.options<fb::Conv2DOptions>();
  const TensorView& other = op.in(kSumInput);
  OCTET_RETURN_IF_ERROR(CheckType(other, "input to add", {DType::INT8}));
  OCTET_RETURN_IF_ERROR(CheckType(op.out(), "output", {DType::INT8}));
  OCTET_RETURN_IF_ERROR(CheckSameShape(other, op.out(), "input to add and output"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(other, "input to add"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(op.out(), "output"));
  OCTET_CHECK_OP(std::isfinite(o.result_scale()) && o.result_scale() > 0.f,
                 "the scale of the result before the sum is %g",
                 static_cast<double>(o.result_scale()));
  OCTET_CHECK_OP(o.result_zero_point() >= -128 && o.result_zero_point() <= 127,
                 "the zero point of the result before the sum is %d", o.result_zero_point());
  const ActRange range = OutputRange(op.out(), o.sum_min(), o.sum_max());
  OCTET_CHECK_OP(range.min <= range.max, "the sum is clamped from %d to %d", o.sum_min(),
                 o.sum_max());
  AddParams params;
  if (!MakeSum(op, &params)) {
    return Fail(OCTET_UNSUPPORTED, "the output's scale %g is too small for the sum's %g and %g",
                static_cast<double>(op.out().scale()), static_cast<double>(o.result_scale()),
                static_cast<double>(other.scale()));
  }
  return OCTET_OK;
}

size_t ConvSumScratch(const QS8ConvShape& s, size_t kernel_scratch) {
  return RoundUp64(kernel_scratch) + RoundUp64(static_cast<size_t>(BlockRows(s)) * RowBytes(s));
}

void InitConvSum(const OpView& op, const QS8ConvShape& s, const QS8ConvKernel& kernel,
                 ConvSum* sum) {
  const fb::Conv2DOptions& o = *op.options<fb::Conv2DOptions>();
  const ActRange range = OutputRange(op.out(), o.sum_min(), o.sum_max());
  IsaSet isa;  // the sum may use what the convolution's kernel may
  IsaSetByName(IsaName(kernel.isa), &isa);
  sum->add = FirstRow(Qs8AddTable(), isa).run;
  sum->rows = BlockRows(s);
  sum->kernel_scratch = RoundUp64(kernel.scratch_bytes(s));
  MakeSum(op, &sum->params);
  sum->params.low = range.min;
  sum->params.high = range.max;
  sum->params.subtract = false;
  MakeAddFixed(&sum->params);
}

void RunConvSum(const ConvSum& sum, const QS8ConvKernel& kernel, QS8ConvRun* whole,
                const RunContext& c) {
  const SumRun run = {
      sum,
      {c.in<int8_t>(kSumInput), RowBytes(*whole->shape), c.inputs[kSumInput].ring_rows},
      whole->output};
  const ConvSlice slice = {RunSlice, &run};
  RunQS8Conv(kernel, whole, c.rows.begin, c.rows.end, c.scratch, c.scratch_stride, c.threads,
             &slice);
}

}  // namespace octet
