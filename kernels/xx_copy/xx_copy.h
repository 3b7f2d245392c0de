// xx_copy: moving runs of bytes, whatever type they hold. What slice, concat, pad, tile, space to
// depth and the like do once their axes are folded.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/table.h"

namespace octet {

// Copies n runs of `run` bytes: run i goes from `from + i * from_step` to `to + i * to_step`. Steps
// may be negative, and from_step zero. Source and destination do not overlap.
using XxCopyRunsFn = void (*)(const uint8_t* from, ptrdiff_t from_step, uint8_t* to,
                              ptrdiff_t to_step, size_t run, size_t n);

// Copies n runs of `run` bytes from `from + index[i] * run` to `to + i * run`.
using XxGatherRunsFn = void (*)(const uint8_t* from, const int32_t* index, uint8_t* to, size_t run,
                                size_t n);

struct XxCopyKernel {
  const char* name;
  Isa isa;
  XxCopyRunsFn runs;
  XxGatherRunsFn gather;
};

Span<const XxCopyKernel> XxCopyTable();

void XxCopyRunsRef(const uint8_t* from, ptrdiff_t from_step, uint8_t* to, ptrdiff_t to_step,
                   size_t run, size_t n);
void XxGatherRunsRef(const uint8_t* from, const int32_t* index, uint8_t* to, size_t run, size_t n);

}  // namespace octet
