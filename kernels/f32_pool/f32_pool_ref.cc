#include "kernels/f32_pool/f32_pool.h"

#include <limits>

#include "kernels/common/requant.h"

namespace octet {
namespace {

struct Average {
  static constexpr float kFirst = 0.f;
  static float Next(float sum, float x) { return sum + x; }
  static float Last(float sum, float count) { return sum / count; }
};

struct Maximum {
  static constexpr float kFirst = std::numeric_limits<float>::lowest();
  static float Next(float max, float x) { return max < x ? x : max; }
  static float Last(float max, float) { return max; }
};

template <class How>
void Pool(const PoolShape& s, const Rows<const float>& input, int32_t y_begin, int32_t y_end,
          float* output) {
  constexpr size_t kBlock = 32;  // channels that are kept at a time
  const size_t channels = static_cast<size_t>(s.channels);
  for (int32_t x = 0; x < s.out_w; ++x) {
    const int32_t origin = x * s.stride_w - s.pad_left;
    const int32_t x_begin = origin < 0 ? 0 : origin;
    const int32_t x_end = s.filter_w < s.in_w - origin ? origin + s.filter_w : s.in_w;
    const float count = static_cast<float>(y_end - y_begin) * static_cast<float>(x_end - x_begin);
    for (size_t c0 = 0; c0 < channels; c0 += kBlock) {
      const size_t n = channels - c0 < kBlock ? channels - c0 : kBlock;
      float acc[kBlock];
      for (size_t c = 0; c < n; ++c) acc[c] = How::kFirst;
      for (int32_t y = y_begin; y < y_end; ++y) {
        const float* p = input.row(y) + static_cast<size_t>(x_begin) * channels + c0;
        for (int32_t i = x_begin; i < x_end; ++i, p += channels) {
          for (size_t c = 0; c < n; ++c) acc[c] = How::Next(acc[c], p[c]);
        }
      }
      float* out = output + static_cast<size_t>(x) * channels + c0;
      for (size_t c = 0; c < n; ++c) {
        out[c] = Clamp(How::Last(acc[c], count), s.act_min_f, s.act_max_f);
      }
    }
  }
}

}  // namespace

void F32AvgPoolRef(const PoolShape& shape, const Rows<const float>& input, int32_t y_begin,
                   int32_t y_end, float* output) {
  Pool<Average>(shape, input, y_begin, y_end, output);
}

void F32MaxPoolRef(const PoolShape& shape, const Rows<const float>& input, int32_t y_begin,
                   int32_t y_end, float* output) {
  Pool<Maximum>(shape, input, y_begin, y_end, output);
}

}  // namespace octet
