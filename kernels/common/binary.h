// What every kernel of an element-wise operator with two inputs looks like.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/table.h"

namespace octet {

// out[i] = f(a[i * a_step], b[i * b_step]) for i in [0, n). Steps are 0 or 1, at least one of them
// 1 unless n is 1. The output may lie exactly over an input whose step is 1. `params` is the
// family's own struct.
using BinaryFn = void (*)(size_t n, const void* a, size_t a_step, const void* b, size_t b_step,
                          void* out, const void* params);

struct BinaryKernel {
  const char* name;
  Isa isa;
  BinaryFn run;
};

}  // namespace octet
