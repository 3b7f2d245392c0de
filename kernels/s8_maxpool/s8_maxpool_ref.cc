#include <cstring>

#include "kernels/common/requant.h"
#include "kernels/s8_maxpool/s8_maxpool.h"

namespace octet {
namespace {

template <class T>
void MaxPool(const PoolShape& s, const Rows<const T>& input, int32_t y_begin, int32_t y_end,
             T* output) {
  const size_t channels = static_cast<size_t>(s.channels);
  for (int32_t x = 0; x < s.out_w; ++x) {
    const int32_t origin = x * s.stride_w - s.pad_left;
    const int32_t x_begin = origin < 0 ? 0 : origin;
    const int32_t x_end = s.filter_w < s.in_w - origin ? origin + s.filter_w : s.in_w;
    T* out = output + x * channels;
    std::memcpy(out, input.row(y_begin) + x_begin * channels, channels * sizeof(T));
    for (int32_t y = y_begin; y < y_end; ++y) {
      const T* p = input.row(y) + x_begin * channels;
      for (int32_t i = x_begin; i < x_end; ++i, p += channels) {
        for (size_t c = 0; c < channels; ++c) out[c] = p[c] > out[c] ? p[c] : out[c];
      }
    }
    for (size_t c = 0; c < channels; ++c) {
      out[c] = static_cast<T>(Clamp<int32_t>(out[c], s.act_min, s.act_max));
    }
  }
}

}  // namespace

void S8MaxPoolRef(const PoolShape& shape, const Rows<const int8_t>& input, int32_t y_begin,
                  int32_t y_end, int8_t* output) {
  MaxPool(shape, input, y_begin, y_end, output);
}

void S16MaxPoolRef(const PoolShape& shape, const Rows<const int16_t>& input, int32_t y_begin,
                   int32_t y_end, int16_t* output) {
  MaxPool(shape, input, y_begin, y_end, output);
}

}  // namespace octet
