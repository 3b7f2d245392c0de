// Splitting a qs8_conv over threads.
#include "src/ops/conv_common.h"

namespace octet {

void RunQS8Conv(const QS8ConvKernel& kernel, QS8ConvRun* whole, int32_t row_begin, int32_t row_end,
                uint8_t* scratch, size_t scratch_stride, const Threads& threads,
                const ConvSlice* slice) {
  const QS8ConvShape& s = *whole->shape;
  if (threads.count == 1) {
    whole->row_begin = row_begin, whole->row_end = row_end;
    whole->channel_begin = 0, whole->channel_end = s.out_c;
    whole->scratch = scratch;
    slice != nullptr ? slice->run(slice->context, kernel, *whole) : kernel.run(*whole);
    return;
  }
  const QS8ConvRun the_whole = *whole;
  const size_t rows = static_cast<size_t>(row_end - row_begin);
  const uint64_t macs = static_cast<uint64_t>(rows) * static_cast<uint64_t>(s.out_w) *
                        static_cast<uint64_t>(s.out_c) * static_cast<uint64_t>(s.kernel_h) *
                        static_cast<uint64_t>(s.kernel_w) * static_cast<uint64_t>(s.group_in_c());
  // Captured by value: a helper fetches all of it at once from the leader's cache.
  const ConvSlice how = slice != nullptr ? *slice : ConvSlice{nullptr, nullptr};
  const QS8ConvKernel* const the_kernel = &kernel;
  const auto run_kernel = kernel.run;
  const auto run_slice = [=](const QS8ConvRun& run) {
    how.run != nullptr ? how.run(how.context, *the_kernel, run) : run_kernel(run);
  };
  const int32_t out_c = s.out_c;
  Threads used = threads;
  if (macs < kMinMacsToSplit) used.count = 1;
  // Rows where there are enough for an even split, else blocks of output channels.
  if (rows >= 4 * used.count || used.count == 1) {
    used.slices(rows, ChunkGrain(rows, macs, used.count), [=](size_t i, size_t begin, size_t end) {
      QS8ConvRun run = the_whole;
      run.row_begin = row_begin + static_cast<int32_t>(begin);
      run.row_end = row_begin + static_cast<int32_t>(end);
      run.channel_begin = 0;
      run.channel_end = out_c;
      run.scratch = scratch + i * scratch_stride;
      run_slice(run);
    });
    return;
  }
  const size_t block = static_cast<size_t>(kernel.channel_block);
  const size_t blocks = (static_cast<size_t>(s.out_c) + block - 1) / block;
  used.slices(blocks, ChunkGrain(blocks, macs, used.count),
              [=](size_t i, size_t begin, size_t end) {
                QS8ConvRun run = the_whole;
                run.row_begin = row_begin;
                run.row_end = row_end;
                run.channel_begin = static_cast<int32_t>(begin * block);
                run.channel_end = static_cast<int32_t>(end == blocks ? out_c : end * block);
                run.scratch = scratch + i * scratch_stride;
                run_slice(run);
              });
}

}  // namespace octet
