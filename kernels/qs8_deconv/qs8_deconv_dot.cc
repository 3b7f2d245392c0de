// Transpose convolution by dot products over the input's channels, for blocks of output channels
// that share the input. Portable: the instruction sets are the dot product's.
#include "kernels/qs8_deconv/qs8_deconv.h"

namespace octet {
namespace {

constexpr int32_t kBlock = 64;  // output channels whose sums are kept at a time

// Input coordinates that contribute to one output coordinate: kernel positions k = first,
// first + stride, ... with input coordinates going down from the one at `first`.
struct Taps {
  int32_t first, count, at;

  Taps(int32_t out, int32_t pad, int32_t stride, int32_t kernel, int32_t in) {
    const int32_t v = out + pad;
    first = v % stride;
    at = v / stride;
    if (at >= in) {  // skip those beyond the input
      first += (at - in + 1) * stride;
      at = in - 1;
    }
    count = first < kernel ? (kernel - first + stride - 1) / stride : 0;
    if (count > at + 1) count = at + 1;
  }
};

void Sum(const S8DotKernel& dot, const S8DotArgs& args, const int8_t*, int32_t* acc) {
  dot.rows(args, acc);
}
void Sum(const S8DotKernel& dot, const S8DotArgs& args, const int16_t*, int64_t* acc) {
  dot.rows16(args, acc);
}

int32_t Scaled(const DeconvShape&, const DeconvChannel& c, int32_t acc) {
  return Requantize(
      static_cast<int32_t>(static_cast<uint32_t>(acc) + static_cast<uint32_t>(c.bias)),
      c.multiplier);
}
int32_t Scaled(const DeconvShape& s, const DeconvChannel& c, int64_t acc) {
  const uint64_t sum = static_cast<uint64_t>(acc) + static_cast<uint64_t>(c.bias);
  return s.acc64 ? Requantize64(static_cast<int64_t>(sum), c.multiplier)
                 : Requantize(static_cast<int32_t>(static_cast<uint32_t>(sum)), c.multiplier);
}

template <class T, class Acc>
void Deconv(const S8DotKernel& dot, const DeconvShape& s, const T* input, const int8_t* weights,
            const DeconvChannel* channels, int32_t row_begin, int32_t row_end, T* output) {
  const size_t in_c = static_cast<size_t>(s.in_c);
  S8DotArgs args = {};
  args.x_step = 1;
  args.x_zero = s.input_zero_point;
  args.w_zero = s.weight_zero_point;
  args.k = in_c;
  args.stride = static_cast<size_t>(s.kernel_h) * static_cast<size_t>(s.kernel_w) * in_c;
  for (int32_t row = row_begin; row < row_end; ++row) {
    const Taps y(row % s.out_h, s.pad_top, s.stride_h, s.kernel_h, s.in_h);
    const T* image = input + static_cast<size_t>(row / s.out_h) * static_cast<size_t>(s.in_h) *
                                 static_cast<size_t>(s.in_w) * in_c;
    for (int32_t ox = 0; ox < s.out_w; ++ox) {
      const Taps x(ox, s.pad_left, s.stride_w, s.kernel_w, s.in_w);
      T* out = output + (static_cast<size_t>(row) * s.out_w + ox) * s.out_c;
      for (int32_t n0 = 0; n0 < s.out_c; n0 += kBlock) {
        const int32_t n = s.out_c - n0 < kBlock ? s.out_c - n0 : kBlock;
        Acc acc[kBlock] = {};
        args.n = static_cast<size_t>(n);
        for (int32_t i = 0; i < y.count; ++i) {
          for (int32_t j = 0; j < x.count; ++j) {
            const size_t ky = static_cast<size_t>(y.first + i * s.stride_h);
            const size_t kx = static_cast<size_t>(x.first + j * s.stride_w);
            args.x = image + (static_cast<size_t>(y.at - i) * s.in_w + (x.at - j)) * in_c;
            args.w =
                weights + static_cast<size_t>(n0) * args.stride + (ky * s.kernel_w + kx) * in_c;
            Sum(dot, args, static_cast<const T*>(nullptr), acc);
          }
        }
        for (int32_t k = 0; k < n; ++k) {
          const int64_t scaled = Scaled(s, channels[n0 + k], acc[k]);
          out[n0 + k] =
              static_cast<T>(Clamp<int64_t>(scaled + s.output_zero_point, s.act_min, s.act_max));
        }
      }
    }
  }
}

}  // namespace

void QS8DeconvDot(const S8DotKernel& dot, const DeconvShape& shape, const int8_t* input,
                  const int8_t* weights, const DeconvChannel* channels, int32_t row_begin,
                  int32_t row_end, int8_t* output) {
  Deconv<int8_t, int32_t>(dot, shape, input, weights, channels, row_begin, row_end, output);
}

void QS16DeconvDot(const S8DotKernel& dot, const DeconvShape& shape, const int16_t* input,
                   const int8_t* weights, const DeconvChannel* channels, int32_t row_begin,
                   int32_t row_end, int16_t* output) {
  Deconv<int16_t, int64_t>(dot, shape, input, weights, channels, row_begin, row_end, output);
}

}  // namespace octet
