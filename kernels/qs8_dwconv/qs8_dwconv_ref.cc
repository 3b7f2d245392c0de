// The contract of qs8_dwconv, in the plainest form.
#include "kernels/qs8_dwconv/qs8_dwconv_kernels.h"

namespace octet {

bool QS8DwConvRefSupports(const QS8DwConvShape&) { return true; }

size_t QS8DwConvRefPackBytes(const QS8DwConvShape& s) {
  return static_cast<size_t>(s.out_c()) * sizeof(RequantChannel);
}

size_t QS8DwConvRefScratchBytes(const QS8DwConvShape&) { return 0; }

void QS8DwConvRefPack(const QS8DwConvShape& s, const QS8DwConvConstants& k, void* pack) {
  RequantChannel* channels = static_cast<RequantChannel*>(pack);
  for (int32_t n = 0; n < s.out_c(); ++n) {
    channels[n].bias = k.bias != nullptr ? k.bias[n] : 0;
    channels[n].multiplier = k.scales.multiplier(n);
  }
}

void QS8DwConvRefRun(const QS8DwConvRun& run) {
  const QS8DwConvShape& s = *run.shape;
  const RequantChannel* channels = static_cast<const RequantChannel*>(run.pack);
  const int32_t out_c = s.out_c();
  for (int32_t row = run.row_begin; row < run.row_end; ++row) {
    const int32_t b = row / s.out_h, y = row % s.out_h;
    int8_t* out = run.output.row(row);
    for (int32_t x = 0; x < s.out_w; ++x) {
      for (int32_t n = run.channel_begin * s.depth_multiplier;
           n < run.channel_end * s.depth_multiplier; ++n) {
        const int32_t c = n / s.depth_multiplier;
        uint32_t acc = static_cast<uint32_t>(channels[n].bias);
        for (int32_t ky = 0; ky < s.kernel_h; ++ky) {
          const int32_t iy = y * s.stride_h - s.pad_top + ky * s.dilation_h;
          if (iy < 0 || iy >= s.in_h) continue;  // a row of zero points adds nothing
          const int8_t* in = run.input.row(b * s.in_h + iy);
          for (int32_t kx = 0; kx < s.kernel_w; ++kx) {
            const int32_t ix = x * s.stride_w - s.pad_left + kx * s.dilation_w;
            if (ix < 0 || ix >= s.in_w) continue;
            const int32_t value = in[static_cast<size_t>(ix) * s.in_c + c] - s.input_zero_point;
            const int32_t weight =
                run.weights[(static_cast<size_t>(ky) * s.kernel_w + kx) * out_c + n] -
                s.weight_zero_point;
            acc += static_cast<uint32_t>(value * weight);
          }
        }
        const int32_t scaled = Requantize(static_cast<int32_t>(acc), channels[n].multiplier);
        out[static_cast<size_t>(x) * out_c + n] = static_cast<int8_t>(
            Clamp<int64_t>(int64_t{scaled} + s.output_zero_point, s.act_min, s.act_max));
      }
    }
  }
}

}  // namespace octet
