#include "kernels/s8_pool_sums/s8_pool_sums.h"

namespace octet {

void S8PoolSumsRef(const Rows<const int8_t>& input, int32_t y_begin, int32_t y_end, size_t width,
                   size_t channels, int16_t* output) {
  for (size_t c = 0; c < channels; ++c) output[c] = 0;
  for (int32_t y = y_begin; y < y_end; ++y) {
    const int8_t* in = input.row(y);
    for (size_t x = 0; x < width; ++x, in += channels) {
      for (size_t c = 0; c < channels; ++c) output[c] = static_cast<int16_t>(output[c] + in[c]);
    }
  }
}

}  // namespace octet
