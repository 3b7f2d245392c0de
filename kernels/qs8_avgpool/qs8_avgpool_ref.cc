#include "kernels/common/requant.h"
#include "kernels/qs8_avgpool/qs8_avgpool.h"

namespace octet {
namespace {

int32_t DivideRounding(int32_t sum, int32_t count, bool half_up) {
  const int32_t half = count / 2;
  if (!half_up) return (sum > 0 ? sum + half : sum - half) / count;
  const int32_t dividend = sum + half;  // floor, as the uint8 sum is this plus 128 * count
  return dividend / count - (dividend % count < 0 ? 1 : 0);
}

template <class T>
void AveragePool(const PoolShape& s, const Rows<const T>& input, int32_t y_begin, int32_t y_end,
                 T* output) {
  constexpr int32_t kBlock = 64;  // channels whose sums are kept at a time
  for (int32_t x = 0; x < s.out_w; ++x) {
    const int32_t origin = x * s.stride_w - s.pad_left;
    const int32_t x_begin = origin < 0 ? 0 : origin;
    const int32_t x_end = s.filter_w < s.in_w - origin ? origin + s.filter_w : s.in_w;
    const int32_t count = (y_end - y_begin) * (x_end - x_begin);
    for (int32_t c0 = 0; c0 < s.channels; c0 += kBlock) {
      const int32_t n = s.channels - c0 < kBlock ? s.channels - c0 : kBlock;
      int32_t sums[kBlock] = {};
      for (int32_t y = y_begin; y < y_end; ++y) {
        const T* p = input.row(y) + static_cast<size_t>(x_begin) * s.channels + c0;
        for (int32_t i = x_begin; i < x_end; ++i, p += s.channels) {
          for (int32_t c = 0; c < n; ++c) sums[c] += p[c];
        }
      }
      T* out = output + static_cast<size_t>(x) * s.channels + c0;
      for (int32_t c = 0; c < n; ++c) {
        out[c] =
            static_cast<T>(Clamp(DivideRounding(sums[c], count, s.half_up), s.act_min, s.act_max));
      }
    }
  }
}

}  // namespace

void QS8AvgPoolRef(const PoolShape& shape, const Rows<const int8_t>& input, int32_t y_begin,
                   int32_t y_end, int8_t* output) {
  AveragePool(shape, input, y_begin, y_end, output);
}

void QS16AvgPoolRef(const PoolShape& shape, const Rows<const int16_t>& input, int32_t y_begin,
                    int32_t y_end, int16_t* output) {
  AveragePool(shape, input, y_begin, y_end, output);
}

}  // namespace octet
