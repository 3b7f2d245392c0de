// x8_minmax: the larger or smaller of two int8 values on the same scale.
#pragma once

#include "kernels/common/binary.h"

namespace octet {

Span<const BinaryKernel> S8MaxTable();
Span<const BinaryKernel> S8MinTable();

void S8MaxRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
              const void* params);
void S8MinRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
              const void* params);

}  // namespace octet
