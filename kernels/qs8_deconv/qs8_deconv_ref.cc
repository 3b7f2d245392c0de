#include "kernels/qs8_deconv/qs8_deconv.h"

namespace octet {
namespace {

template <class T>
void Deconv(const DeconvShape& s, const T* input, const int8_t* weights,
            const DeconvChannel* channels, int32_t row_begin, int32_t row_end, T* output) {
  for (int32_t row = row_begin; row < row_end; ++row) {
    const int32_t b = row / s.out_h, oy = row % s.out_h;
    for (int32_t ox = 0; ox < s.out_w; ++ox) {
      T* out = output + (static_cast<size_t>(row) * s.out_w + ox) * s.out_c;
      for (int32_t n = 0; n < s.out_c; ++n) {
        uint64_t acc = static_cast<uint64_t>(channels[n].bias);
        for (int32_t ky = 0; ky < s.kernel_h; ++ky) {
          const int32_t vy = oy + s.pad_top - ky;
          if (vy < 0 || vy % s.stride_h != 0 || vy / s.stride_h >= s.in_h) continue;
          for (int32_t kx = 0; kx < s.kernel_w; ++kx) {
            const int32_t vx = ox + s.pad_left - kx;
            if (vx < 0 || vx % s.stride_w != 0 || vx / s.stride_w >= s.in_w) continue;
            const T* in = input + ((static_cast<size_t>(b) * s.in_h + vy / s.stride_h) * s.in_w +
                                   vx / s.stride_w) *
                                      s.in_c;
            const int8_t* w =
                weights + ((static_cast<size_t>(n) * s.kernel_h + ky) * s.kernel_w + kx) * s.in_c;
            for (int32_t c = 0; c < s.in_c; ++c) {
              acc += static_cast<uint64_t>(int64_t{in[c] - s.input_zero_point} *
                                           (w[c] - s.weight_zero_point));
            }
          }
        }
        const Multiplier m = channels[n].multiplier;
        const int32_t scaled =
            s.acc64 ? Requantize64(static_cast<int64_t>(acc), m)
                    : Requantize(static_cast<int32_t>(static_cast<uint32_t>(acc)), m);
        out[n] = static_cast<T>(
            Clamp<int64_t>(int64_t{scaled} + s.output_zero_point, s.act_min, s.act_max));
      }
    }
  }
}

}  // namespace

void QS8DeconvRef(const DeconvShape& shape, const int8_t* input, const int8_t* weights,
                  const DeconvChannel* channels, int32_t row_begin, int32_t row_end,
                  int8_t* output) {
  Deconv(shape, input, weights, channels, row_begin, row_end, output);
}

void QS16DeconvRef(const DeconvShape& shape, const int16_t* input, const int8_t* weights,
                   const DeconvChannel* channels, int32_t row_begin, int32_t row_end,
                   int16_t* output) {
  Deconv(shape, input, weights, channels, row_begin, row_end, output);
}

}  // namespace octet
