// qs16_conv by the dot products of s8_dot, for blocks of output channels that share the input.
// Portable: the instruction sets are the dot product's.
#include <cstring>

#include "kernels/qs16_conv/qs16_conv_kernels.h"
#include "kernels/s8_dot/s8_dot.h"

namespace octet {
namespace {

constexpr int32_t kBlock = 64;  // output channels whose sums are kept at a time

// Kernel positions [begin, end) that lie inside the input, and the first one's coordinate.
struct Taps {
  int32_t begin, end, first;

  Taps(int32_t origin, int32_t dilation, int32_t kernel, int32_t in) {
    begin = origin < 0 ? (-origin + dilation - 1) / dilation : 0;
    if (begin > kernel) begin = kernel;
    first = origin + begin * dilation;
    end = begin;
    if (first < in) end = begin + (in - 1 - first) / dilation + 1;
    if (end > kernel) end = kernel;
  }
};

bool Depthwise(const QS16ConvShape& s) {
  return s.groups > 1 && s.in_c == s.groups && s.out_c == s.groups && s.weight_n == 1;
}

struct Dot {
  const QS16ConvShape& s;
  const QS16ConvRun& run;
  const S8DotKernel& kernel;
  const QS16Channel* channels;

  // Output channels [n, n + count) of one group at one pixel.
  void Convolve(int32_t image, const Taps& y, const Taps& x, int32_t n, int32_t count,
                int16_t* out) const {
    const size_t cin = static_cast<size_t>(s.in_c / s.groups);
    const size_t group = static_cast<size_t>(n / (s.out_c / s.groups));
    // Neighbours along x are one run where nothing lies between them.
    const bool joined = s.groups == 1 && s.dilation_w == 1 &&
                        (s.kernel_w == 1 || static_cast<size_t>(s.weight_x) == cin);
    int64_t acc[kBlock] = {};
    S8DotArgs args = {};
    args.x_step = 1;
    args.stride = static_cast<size_t>(s.weight_n);
    args.n = static_cast<size_t>(count);
    const int32_t at_once = joined ? x.end - x.begin : 1;
    args.k = static_cast<size_t>(at_once) * cin;
    for (int32_t ky = y.begin; ky < y.end; ++ky) {
      const int16_t* row = run.input.row(image * s.in_h + y.first + (ky - y.begin) * s.dilation_h);
      for (int32_t kx = x.begin; kx < x.end; kx += at_once) {
        const int32_t ix = x.first + (kx - x.begin) * s.dilation_w;
        args.x = row + static_cast<size_t>(ix) * static_cast<size_t>(s.in_c) + group * cin;
        args.w = run.weights + static_cast<size_t>(n) * args.stride +
                 static_cast<size_t>(ky) * static_cast<size_t>(s.weight_y) +
                 static_cast<size_t>(kx) * static_cast<size_t>(s.weight_x);
        kernel.rows16(args, acc);
      }
    }
    for (int32_t i = 0; i < count; ++i) {
      const QS16Channel& c = channels[n + i];
      out[n + i] = c.Output(s, static_cast<uint64_t>(acc[i]) + static_cast<uint64_t>(c.bias));
    }
  }

  void ConvolveDepthwise(int32_t image, const Taps& y, const Taps& x, int32_t n, int32_t count,
                         int16_t* out) const {
    // Products are at most 2^22: so many fit 32-bit sums.
    constexpr int32_t kTerms = 256;
    int64_t wide[kBlock] = {};
    int32_t acc[kBlock] = {};
    int32_t terms = 0;
    for (int32_t ky = y.begin; ky < y.end; ++ky) {
      const int16_t* row = run.input.row(image * s.in_h + y.first + (ky - y.begin) * s.dilation_h);
      for (int32_t kx = x.begin; kx < x.end; ++kx) {
        const int32_t ix = x.first + (kx - x.begin) * s.dilation_w;
        kernel.products16(row + static_cast<size_t>(ix) * static_cast<size_t>(s.in_c) + n,
                          run.weights + static_cast<size_t>(ky) * static_cast<size_t>(s.weight_y) +
                              static_cast<size_t>(kx) * static_cast<size_t>(s.weight_x) + n,
                          static_cast<size_t>(count), acc);
        if (++terms < kTerms) continue;
        for (int32_t i = 0; i < count; ++i) wide[i] += acc[i];
        std::memset(acc, 0, sizeof acc);
        terms = 0;
      }
    }
    for (int32_t i = 0; i < count; ++i) {
      const QS16Channel& c = channels[n + i];
      out[n + i] =
          c.Output(s, static_cast<uint64_t>(wide[i] + acc[i]) + static_cast<uint64_t>(c.bias));
    }
  }
};

void RunDot(const QS16ConvRun& run, const S8DotKernel& kernel) {
  const QS16ConvShape& s = *run.shape;
  const Dot dot = {s, run, kernel, static_cast<const QS16Channel*>(run.pack)};
  const bool depthwise = Depthwise(s);
  const int32_t cout = s.out_c / s.groups;
  for (int32_t row = run.row_begin; row < run.row_end; ++row) {
    const int32_t image = row / s.out_h;
    const Taps y(row % s.out_h * s.stride_h - s.pad_top, s.dilation_h, s.kernel_h, s.in_h);
    int16_t* out = run.output.row(row);
    for (int32_t ox = 0; ox < s.out_w; ++ox, out += s.out_c) {
      const Taps x(ox * s.stride_w - s.pad_left, s.dilation_w, s.kernel_w, s.in_w);
      for (int32_t n = run.channel_begin; n < run.channel_end;) {
        int32_t end = depthwise ? run.channel_end : (n / cout + 1) * cout;  // of the group
        if (end > run.channel_end) end = run.channel_end;
        const int32_t count = end - n < kBlock ? end - n : kBlock;
        if (depthwise) {
          dot.ConvolveDepthwise(image, y, x, n, count, out);
        } else {
          dot.Convolve(image, y, x, n, count, out);
        }
        n += count;
      }
    }
  }
}

}  // namespace

// One instruction set's functions.
#define OCTET_QS16_DOT(suffix, isa_bit)                                                          \
  bool QS16Conv##suffix##Supports(const QS16ConvShape& s) { return QS16ConvRefSupports(s); }     \
  size_t QS16Conv##suffix##PackBytes(const QS16ConvShape& s) { return QS16ConvRefPackBytes(s); } \
  void QS16Conv##suffix##Pack(const QS16ConvShape& s, const QS16ConvConstants& k, void* pack) {  \
    QS16ConvRefPack(s, k, pack);                                                                 \
  }                                                                                              \
  void QS16Conv##suffix##Run(const QS16ConvRun& run) {                                           \
    for (const S8DotKernel& row : S8DotTable()) {                                                \
      if (row.isa == Isa::isa_bit) return RunDot(run, row);                                      \
    }                                                                                            \
  }

#ifdef OCTET_ARCH_X86
OCTET_QS16_DOT(Avx512Vnni, kAvx512Vnni)
OCTET_QS16_DOT(Avx2, kAvx2)
#endif
#if defined(OCTET_ARCH_ARM64) || defined(OCTET_ARCH_ARM32)
OCTET_QS16_DOT(Neon, kNeon)
#endif

}  // namespace octet
