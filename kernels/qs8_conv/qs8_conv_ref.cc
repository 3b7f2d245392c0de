// The contract of qs8_conv, in the plainest form.
#include "kernels/qs8_conv/qs8_conv_kernels.h"

namespace octet {

bool QS8ConvRefSupports(const QS8ConvShape&) { return true; }

size_t QS8ConvRefPackBytes(const QS8ConvShape& s) {
  return static_cast<size_t>(s.out_c) * sizeof(RequantChannel);
}

size_t QS8ConvRefScratchBytes(const QS8ConvShape&) { return 0; }

void QS8ConvRefPack(const QS8ConvShape& s, const QS8ConvConstants& k, void* pack) {
  RequantChannel* channels = static_cast<RequantChannel*>(pack);
  for (int32_t n = 0; n < s.out_c; ++n) {
    channels[n].bias = k.bias != nullptr ? k.bias[n] : 0;
    channels[n].multiplier = k.scales.multiplier(n);
  }
}

void QS8ConvRefRun(const QS8ConvRun& run) {
  const QS8ConvShape& s = *run.shape;
  const RequantChannel* channels = static_cast<const RequantChannel*>(run.pack);
  const int32_t cin = s.group_in_c(), cout = s.group_out_c();
  for (int32_t row = run.row_begin; row < run.row_end; ++row) {
    const int32_t b = row / s.out_h, y = row % s.out_h;
    int8_t* out = run.output.row(row);
    for (int32_t x = 0; x < s.out_w; ++x) {
      for (int32_t n = run.channel_begin; n < run.channel_end; ++n) {
        const int32_t first_channel = n / cout * cin;
        uint32_t acc = static_cast<uint32_t>(channels[n].bias);
        for (int32_t ky = 0; ky < s.kernel_h; ++ky) {
          const int32_t iy = y * s.stride_h - s.pad_top + ky * s.dilation_h;
          if (iy < 0 || iy >= s.in_h) continue;  // a row of zero points adds nothing
          const int8_t* in_row = run.input.row(b * s.in_h + iy);
          for (int32_t kx = 0; kx < s.kernel_w; ++kx) {
            const int32_t ix = x * s.stride_w - s.pad_left + kx * s.dilation_w;
            if (ix < 0 || ix >= s.in_w) continue;
            const int8_t* in = in_row + static_cast<size_t>(ix) * s.in_c + first_channel;
            const int8_t* w =
                run.weights + ((static_cast<size_t>(n) * s.kernel_h + ky) * s.kernel_w + kx) * cin;
            for (int32_t c = 0; c < cin; ++c) {
              acc += static_cast<uint32_t>((in[c] - s.input_zero_point) *
                                           (w[c] - s.weight_zero_point));
            }
          }
        }
        const int32_t scaled = Requantize(static_cast<int32_t>(acc), channels[n].multiplier);
        out[static_cast<size_t>(x) * s.out_c + n] = static_cast<int8_t>(
            Clamp<int64_t>(int64_t{scaled} + s.output_zero_point, s.act_min, s.act_max));
      }
    }
  }
}

}  // namespace octet
