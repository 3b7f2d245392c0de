// The contract of qs16_conv, in the plainest form.
#include "kernels/qs16_conv/qs16_conv_kernels.h"

namespace octet {
bool QS16ConvRefSupports(const QS16ConvShape&) { return true; }

size_t QS16ConvRefPackBytes(const QS16ConvShape& s) {
  return static_cast<size_t>(s.out_c) * sizeof(QS16Channel);
}

void QS16ConvRefPack(const QS16ConvShape& s, const QS16ConvConstants& k, void* pack) {
  QS16Channel* channels = static_cast<QS16Channel*>(pack);
  for (int32_t n = 0; n < s.out_c; ++n) {
    if (k.bias != nullptr) {
      channels[n].bias =
          s.acc64 ? static_cast<const int64_t*>(k.bias)[n] : static_cast<const int32_t*>(k.bias)[n];
    }
    channels[n].multiplier = k.scales.multiplier(n);
  }
}

void QS16ConvRefRun(const QS16ConvRun& run) {
  const QS16ConvShape& s = *run.shape;
  const QS16Channel* channels = static_cast<const QS16Channel*>(run.pack);
  const int32_t cin = s.in_c / s.groups, cout = s.out_c / s.groups;
  for (int32_t row = run.row_begin; row < run.row_end; ++row) {
    const int32_t b = row / s.out_h, y = row % s.out_h;
    int16_t* out = run.output.row(row);
    for (int32_t x = 0; x < s.out_w; ++x) {
      for (int32_t n = run.channel_begin; n < run.channel_end; ++n) {
        const int32_t first_channel = n / cout * cin;
        // 64 bits hold any sum of a model's size; the 32-bit form keeps the low half.
        uint64_t acc = static_cast<uint64_t>(channels[n].bias);
        for (int32_t ky = 0; ky < s.kernel_h; ++ky) {
          const int32_t iy = y * s.stride_h - s.pad_top + ky * s.dilation_h;
          if (iy < 0 || iy >= s.in_h) continue;
          const int16_t* in_row = run.input.row(b * s.in_h + iy);
          for (int32_t kx = 0; kx < s.kernel_w; ++kx) {
            const int32_t ix = x * s.stride_w - s.pad_left + kx * s.dilation_w;
            if (ix < 0 || ix >= s.in_w) continue;
            const int16_t* in = in_row + static_cast<size_t>(ix) * s.in_c + first_channel;
            const int8_t* w = run.weights + static_cast<size_t>(n) * s.weight_n +
                              static_cast<size_t>(ky) * s.weight_y +
                              static_cast<size_t>(kx) * s.weight_x;
            for (int32_t c = 0; c < cin; ++c) {
              acc += static_cast<uint64_t>(int64_t{in[c]} * w[c]);
            }
          }
        }
        out[static_cast<size_t>(x) * s.out_c + n] = channels[n].Output(s, acc);
      }
    }
  }
}

}  // namespace octet
