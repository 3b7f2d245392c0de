#include <cstring>

#include "kernels/common/requant.h"
#include "kernels/f32_conv/f32_conv.h"

namespace octet {
namespace {

// Four floats, which every compiler that Octet knows keeps in one register where there are such.
typedef float F4 __attribute__((vector_size(16)));

F4 Load(const float* p) {
  F4 v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

constexpr int32_t kHalves = kF32ConvBlock / 4;

// kPixels outputs of kBlocks blocks of channels.
template <int kPixels, int kBlocks>
struct Tile {
  F4 acc[kPixels][kBlocks][kHalves] = {};

  // Adds n inputs from each pixel's place, times one row of weights for each.
  void Add(const float* const* in, const float* weights, size_t block_stride, size_t n) {
    F4 sum[kPixels][kBlocks][kHalves];
    std::memcpy(sum, acc, sizeof sum);
    for (size_t k = 0; k < n; ++k) {
      for (int b = 0; b < kBlocks; ++b) {
        const float* w = weights + static_cast<size_t>(b) * block_stride + k * kF32ConvBlock;
        F4 half[kHalves];
        for (int h = 0; h < kHalves; ++h) half[h] = Load(w + 4 * h);
        for (int p = 0; p < kPixels; ++p) {
          const float x = in[p][k];
          const F4 xs = {x, x, x, x};
          for (int h = 0; h < kHalves; ++h) sum[p][b][h] += xs * half[h];
        }
      }
    }
    std::memcpy(acc, sum, sizeof sum);
  }
  // The same for one pixel.
  void AddOne(int32_t p, const float* in, const float* weights, size_t block_stride, size_t n) {
    Tile<1, kBlocks> one;
    std::memcpy(one.acc, acc[p], sizeof one.acc);
    one.Add(&in, weights, block_stride, n);
    std::memcpy(acc[p], one.acc, sizeof one.acc);
  }
};

void Store(const F32ConvShape& s, const F4* acc, const float* bias, int32_t channels, float* out) {
  float sums[kF32ConvBlock];
  std::memcpy(sums, acc, sizeof sums);
  for (int32_t i = 0; i < kF32ConvBlock; ++i) {
    sums[i] = Clamp(sums[i] + bias[i], s.act_min, s.act_max);
  }
  std::memcpy(out, sums, static_cast<size_t>(channels) * sizeof(float));
}

int32_t BlocksOfGroup(const F32ConvShape& s) {
  return (s.group_out_c() + kF32ConvBlock - 1) / kF32ConvBlock;
}

size_t BlockFloats(const F32ConvShape& s) {
  return kF32ConvBlock * (1 + static_cast<size_t>(s.kernel_h) * static_cast<size_t>(s.kernel_w) *
                                  static_cast<size_t>(s.group_in_c()));
}

// Output pixels [x, x + kPixels) of one row, in kBlocks blocks of one group.
template <int kPixels, int kBlocks>
void Pixels(const F32ConvRun& run, int32_t y, int32_t x, int32_t block) {
  const F32ConvShape& s = *run.shape;
  const int32_t group_blocks = BlocksOfGroup(s);
  const int32_t group = block / group_blocks;
  const size_t stride = BlockFloats(s);
  const float* pack = run.weights + static_cast<size_t>(block) * stride;
  const size_t depth = static_cast<size_t>(s.group_in_c());
  const size_t pixel = static_cast<size_t>(s.in_c);
  const int32_t image = y / s.out_h * s.in_h;
  const int32_t top = y % s.out_h * s.stride_h - s.pad_top;
  const int32_t left = x * s.stride_w - s.pad_left;
  const int32_t right = left + (kPixels - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w;
  const bool inside = left >= 0 && right < s.in_w;
  // Neighbours in one row of the window lie one behind the other.
  const bool joined = inside && s.groups == 1 && s.dilation_w == 1;
  Tile<kPixels, kBlocks> tile;
  for (int32_t ky = 0; ky < s.kernel_h; ++ky) {
    const int32_t in_y = top + ky * s.dilation_h;
    if (in_y < 0 || in_y >= s.in_h) continue;
    const float* row = run.input.row(image + in_y) + static_cast<size_t>(group) * depth;
    const float* w = pack + kF32ConvBlock * (1 + static_cast<size_t>(ky * s.kernel_w) * depth);
    for (int32_t kx = 0; kx < (joined ? 1 : s.kernel_w); ++kx, w += kF32ConvBlock * depth) {
      const int32_t in_x = left + kx * s.dilation_w;
      if (inside) {
        const float* in[kPixels];
        for (int32_t p = 0; p < kPixels; ++p) {
          in[p] = row + static_cast<size_t>(in_x + p * s.stride_w) * pixel;
        }
        tile.Add(in, w, stride, joined ? depth * static_cast<size_t>(s.kernel_w) : depth);
        continue;
      }
      for (int32_t p = 0; p < kPixels; ++p) {
        const int32_t at = in_x + p * s.stride_w;
        if (at < 0 || at >= s.in_w) continue;
        tile.AddOne(p, row + static_cast<size_t>(at) * pixel, w, stride, depth);
      }
    }
  }
  for (int32_t b = 0; b < kBlocks; ++b) {
    const int32_t in_group = (block + b) % group_blocks * kF32ConvBlock;
    const int32_t left_over = s.group_out_c() - in_group;
    const int32_t channels = left_over < kF32ConvBlock ? left_over : kF32ConvBlock;
    float* out = run.output.row(y) + static_cast<size_t>(x) * static_cast<size_t>(s.out_c) +
                 static_cast<size_t>(group * s.group_out_c() + in_group);
    for (int32_t p = 0; p < kPixels; ++p, out += s.out_c) {
      Store(s, tile.acc[p][b], pack + static_cast<size_t>(b) * stride, channels, out);
    }
  }
}

}  // namespace

int32_t F32ConvBlocks(const F32ConvShape& s) { return s.groups * BlocksOfGroup(s); }

size_t F32ConvPackBytes(const F32ConvShape& s) {
  return static_cast<size_t>(F32ConvBlocks(s)) * BlockFloats(s) * sizeof(float);
}

void F32ConvPack(const F32ConvShape& s, const float* weights, const float* bias, float* pack) {
  const size_t window = static_cast<size_t>(s.kernel_h) * static_cast<size_t>(s.kernel_w) *
                        static_cast<size_t>(s.group_in_c());
  const int32_t group_blocks = BlocksOfGroup(s);
  for (int32_t block = 0; block < F32ConvBlocks(s); ++block, pack += BlockFloats(s)) {
    const int32_t in_group = block % group_blocks * kF32ConvBlock;
    for (int32_t i = 0; i < kF32ConvBlock; ++i) {
      if (in_group + i >= s.group_out_c()) break;
      const size_t n = static_cast<size_t>(block / group_blocks * s.group_out_c() + in_group + i);
      if (bias != nullptr) pack[i] = bias[n];
      for (size_t k = 0; k < window; ++k) {
        pack[kF32ConvBlock * (1 + k) + static_cast<size_t>(i)] = weights[n * window + k];
      }
    }
  }
}

void F32ConvRef(const F32ConvRun& run) {
  const F32ConvShape& s = *run.shape;
  const int32_t group_blocks = BlocksOfGroup(s);
  for (int32_t y = run.row_begin; y < run.row_end; ++y) {
    for (int32_t block = run.block_begin; block < run.block_end;) {
      // Rows of few pixels (fully connected layers) have several blocks at a time instead.
      const int32_t in_group = group_blocks - block % group_blocks;
      const int32_t blocks = in_group < run.block_end - block ? in_group : run.block_end - block;
      int32_t x = 0;
      for (; x + 4 <= s.out_w; x += 4) Pixels<4, 1>(run, y, x, block);
      if (x == 0 && blocks >= 4) {
        for (; x < s.out_w; ++x) Pixels<1, 4>(run, y, x, block);
        block += 4;
        continue;
      }
      for (; x < s.out_w; ++x) Pixels<1, 1>(run, y, x, block);
      ++block;
    }
  }
}

void F32DwConvRef(const F32ConvRun& run) {
  constexpr size_t kChannels = 16;  // whose sums are kept at a time
  const F32ConvShape& s = *run.shape;
  const size_t in_c = static_cast<size_t>(s.in_c), out_c = static_cast<size_t>(s.out_c);
  const size_t multiplier = out_c / in_c;
  for (int32_t y = run.row_begin; y < run.row_end; ++y) {
    const int32_t image = y / s.out_h * s.in_h;
    const int32_t top = y % s.out_h * s.stride_h - s.pad_top;
    float* out = run.output.row(y);
    for (int32_t x = 0; x < s.out_w; ++x, out += out_c) {
      const int32_t left = x * s.stride_w - s.pad_left;
      for (size_t c0 = 0; c0 < out_c; c0 += kChannels) {
        const size_t n = out_c - c0 < kChannels ? out_c - c0 : kChannels;
        float sums[kChannels] = {};
        for (int32_t ky = 0; ky < s.kernel_h; ++ky) {
          const int32_t in_y = top + ky * s.dilation_h;
          if (in_y < 0 || in_y >= s.in_h) continue;
          const float* row = run.input.row(image + in_y);
          for (int32_t kx = 0; kx < s.kernel_w; ++kx) {
            const int32_t in_x = left + kx * s.dilation_w;
            if (in_x < 0 || in_x >= s.in_w) continue;
            const float* in = row + static_cast<size_t>(in_x) * in_c;
            const float* w = run.weights + static_cast<size_t>(ky * s.kernel_w + kx) * out_c + c0;
            if (multiplier == 1 && n == kChannels) {
              for (size_t c = 0; c < kChannels; ++c) sums[c] += in[c0 + c] * w[c];
            } else {
              for (size_t c = 0; c < n; ++c) sums[c] += in[(c0 + c) / multiplier] * w[c];
            }
          }
        }
        for (size_t c = 0; c < n; ++c) {
          const float sum = run.bias != nullptr ? sums[c] + run.bias[c0 + c] : sums[c];
          out[c0 + c] = Clamp(sum, s.act_min, s.act_max);
        }
      }
    }
  }
}

// Every output gathers what the reference scatters to it, in the same order: by input pixels.
void F32DeconvRef(const F32ConvRun& run) {
  const F32ConvShape& s = *run.shape;
  const size_t depth = static_cast<size_t>(s.in_c);
  const int32_t blocks = F32ConvBlocks(s);
  for (int32_t y = run.row_begin; y < run.row_end; ++y) {
    const int32_t image = y / s.out_h * s.in_h;
    const int32_t top = y % s.out_h + s.pad_top;  // = in_y * stride + ky
    for (int32_t x = 0; x < s.out_w; ++x) {
      const int32_t left = x + s.pad_left;
      float* out = run.output.row(y) + static_cast<size_t>(x) * static_cast<size_t>(s.out_c);
      for (int32_t block = 0; block < blocks; ++block) {
        const float* pack = run.weights + static_cast<size_t>(block) * BlockFloats(s);
        const float* weights = pack + kF32ConvBlock;
        Tile<1, 1> tile;
        // The first input whose window reaches this far.
        const int32_t first_y = top < s.kernel_h ? 0 : (top - s.kernel_h) / s.stride_h + 1;
        const int32_t first_x = left < s.kernel_w ? 0 : (left - s.kernel_w) / s.stride_w + 1;
        for (int32_t in_y = first_y; in_y < s.in_h && in_y * s.stride_h <= top; ++in_y) {
          const int32_t ky = top - in_y * s.stride_h;
          for (int32_t in_x = first_x; in_x < s.in_w && in_x * s.stride_w <= left; ++in_x) {
            const int32_t kx = left - in_x * s.stride_w;
            const float* in = run.input.row(image + in_y) + static_cast<size_t>(in_x) * depth;
            const float* w =
                weights + static_cast<size_t>(ky * s.kernel_w + kx) * depth * kF32ConvBlock;
            tile.Add(&in, w, 0, depth);
          }
        }
        const int32_t left_over = s.out_c - block * kF32ConvBlock;
        Store(s, tile.acc[0][0], pack, left_over < kF32ConvBlock ? left_over : kF32ConvBlock,
              out + static_cast<size_t>(block) * kF32ConvBlock);
      }
    }
  }
}

}  // namespace octet
