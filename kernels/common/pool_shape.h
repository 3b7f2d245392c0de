// What average and maximum pooling kernels have in common: one call, one row of windows.
#pragma once

#include <cstdint>

#include "kernels/common/rows.h"

namespace octet {

struct PoolShape {
  int32_t in_w = 1, out_w = 1, channels = 1;
  int32_t filter_w = 1, stride_w = 1, pad_left = 0;
  int32_t act_min = 0, act_max = 0;
  float act_min_f = 0, act_max_f = 0;
  bool half_up = false;  // averages: ties go up (the uint8 reference), not away from zero
};

// Pools input rows [y_begin, y_end), which are the window's rows that lie inside the input, into
// one output row of out_w * channels elements. Columns outside the input count for nothing; every
// window has an element inside it.
template <class T>
using PoolFn = void (*)(const PoolShape& shape, const Rows<const T>& input, int32_t y_begin,
                        int32_t y_end, T* output);

}  // namespace octet
