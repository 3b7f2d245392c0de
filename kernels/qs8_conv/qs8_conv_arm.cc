// The walk of the ARM kernels of qs8_conv over the output; portable code.
#include "kernels/qs8_conv/qs8_conv_arm.h"

#include <cstring>

#include "kernels/qs8_conv/qs8_conv.h"

namespace octet {
namespace {

constexpr size_t kAlign = 64;
constexpr size_t kPanelBytes = 16 * 1024;  // a panel that leaves room in L1 for weights
constexpr size_t kSlack = 16;              // after the panel, for the last step
constexpr int32_t kCopiedPixels = 16;      // in the panel of a 1x1 convolution

size_t RoundUp(size_t n, size_t to) { return (n + to - 1) / to * to; }
int32_t CeilDiv(int32_t a, int32_t b) { return (a + b - 1) / b; }

// Is every window one pixel of the image?
bool PixelByPixel(const QS8ConvShape& s) {
  return s.kernel_h == 1 && s.kernel_w == 1 && s.pad_top == 0 && s.pad_left == 0 &&
         int64_t{s.out_h - 1} * s.stride_h < s.in_h && int64_t{s.out_w - 1} * s.stride_w < s.in_w;
}

// Can its pixels be read where they lie, without reading a byte too much?
bool InPlace(const QS8ConvShape& s, const ConvArmLayout& layout) {
  return PixelByPixel(s) && s.group_in_c() % layout.multiple == 0;
}

// The offsets of segments lie before the panel.
size_t SegmentBytes(const ConvArmShape& l) {
  return RoundUp(static_cast<size_t>(l.outer) * static_cast<size_t>(l.inner) * sizeof(ptrdiff_t),
                 kAlign);
}

int32_t PanelColumns(const QS8ConvShape& s) {
  return (s.out_w - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w + 1;
}

size_t PanelRowBytes(const QS8ConvShape& s) {
  return static_cast<size_t>(PanelColumns(s)) * static_cast<size_t>(s.in_c);
}

// With vertical dilation a panel is for one output row and holds the rows of its taps alone.
bool RowsOfTaps(const QS8ConvShape& s) { return s.dilation_h > 1 && s.kernel_h > 1; }

// Input rows in the panel for `rows` output rows.
int32_t PanelRows(const QS8ConvShape& s, int32_t rows) {
  return (rows - 1) * s.stride_h + s.kernel_h;
}

// Output rows that share a panel: small ones together.
int32_t BandRows(const QS8ConvShape& s) {
  if (RowsOfTaps(s)) return 1;
  const int32_t wanted = CeilDiv(kConvArmMaxPixels / 2, s.out_w);
  int32_t rows = wanted < s.band_limit() ? wanted : s.band_limit();
  const size_t row_bytes = PanelRowBytes(s);
  while (rows > 1 && static_cast<size_t>(PanelRows(s, rows)) * row_bytes > kPanelBytes) --rows;
  return rows;
}

class Runner {
 public:
  Runner(const QS8ConvRun& run, const ConvArmLayout& layout, ConvArmCompute compute)
      : run_(run), s_(*run.shape), l_(s_, layout), compute_(compute) {
    in_place_ = InPlace(s_, layout);
    uint8_t* const scratch = static_cast<uint8_t*>(run.scratch);
    if (!in_place_) {
      segments_ = reinterpret_cast<ptrdiff_t*>(scratch);
      panel_ = reinterpret_cast<int8_t*>(scratch + SegmentBytes(l_));
    }
    job_.in = in_;
    job_.out = out_;
    job_.segments = l_.outer * l_.inner;
    job_.segment_at = segments_;
    job_.depth = l_.depth;
    job_.block_bytes = l_.block_bytes;
    job_.zero_point = s_.output_zero_point;
    job_.act_min = s_.act_min;
    job_.act_max = s_.act_max;
  }

  void Run() { PixelByPixel(s_) ? Pixels() : Windows(); }

 private:
  void Pixels() {
    segments_[0] = 0;
    const int32_t most = in_place_ ? kConvArmMaxPixels : kCopiedPixels;
    const int64_t total = int64_t{run_.row_end - run_.row_begin} * s_.out_w;
    const int32_t jobs = static_cast<int32_t>((total + most - 1) / most);
    const size_t pixel = static_cast<size_t>(s_.in_c);
    int32_t row = run_.row_begin, x = 0;
    int64_t done = 0;
    for (int32_t i = 0; i < jobs; ++i) {
      const int32_t n = static_cast<int32_t>(total * (i + 1) / jobs - done);
      done += n;
      for (int32_t filled = 0; filled < n;) {  // a stretch of a row at a time
        const int32_t stretch = n - filled < s_.out_w - x ? n - filled : s_.out_w - x;
        const int8_t* in = run_.input.row(row / s_.out_h * s_.in_h + row % s_.out_h * s_.stride_h) +
                           static_cast<size_t>(x) * static_cast<size_t>(s_.stride_w) * pixel;
        int8_t* out = run_.output.row(row) + static_cast<size_t>(x) * static_cast<size_t>(s_.out_c);
        for (int32_t j = filled; j < filled + stretch; ++j) {
          in_[j] = in;
          if (!in_place_) {
            int8_t* const copy = panel_ + static_cast<size_t>(j) * pixel;
            std::memcpy(copy, in, pixel);
            in_[j] = copy;
          }
          out_[j] = out;
          in += static_cast<size_t>(s_.stride_w) * pixel;
          out += s_.out_c;
        }
        filled += stretch;
        x += stretch;
        if (x == s_.out_w) {
          x = 0;
          ++row;
        }
      }
      if (!in_place_) std::memset(panel_ + static_cast<size_t>(n) * pixel, 0, kSlack);
      Compute(n);
    }
  }

  void Windows() {
    const size_t pixel = static_cast<size_t>(s_.in_c), row_bytes = PanelRowBytes(s_);
    for (int32_t i = 0; i < l_.outer; ++i) {
      for (int32_t j = 0; j < l_.inner; ++j) {
        segments_[i * l_.inner + j] = static_cast<ptrdiff_t>(
            static_cast<size_t>(i) * row_bytes +
            static_cast<size_t>(j) * static_cast<size_t>(s_.dilation_w) * pixel);
      }
    }
    const int32_t band = BandRows(s_);
    const int32_t row_step = RowsOfTaps(s_) ? s_.dilation_h : 1;
    for (int32_t row = run_.row_begin; row < run_.row_end;) {
      const int32_t b = row / s_.out_h, y = row % s_.out_h;
      int32_t rows = s_.out_h - y;  // a band stays within an image
      if (rows > run_.row_end - row) rows = run_.row_end - row;
      rows = CeilDiv(rows, CeilDiv(rows, band));  // bands of equal height
      const int32_t panel_rows = PanelRows(s_, rows);
      for (int32_t i = 0; i < panel_rows; ++i) {
        if (row_step == 1 && i % s_.stride_h >= s_.kernel_h) continue;  // between windows
        FillRow(b, y * s_.stride_h - s_.pad_top + i * row_step,
                panel_ + static_cast<size_t>(i) * row_bytes);
      }
      std::memset(panel_ + static_cast<size_t>(panel_rows) * row_bytes, 0, kSlack);
      int32_t n = 0;
      for (int32_t i = 0; i < rows; ++i) {
        const int8_t* in =
            panel_ + static_cast<size_t>(i) * static_cast<size_t>(s_.stride_h) * row_bytes;
        int8_t* out = run_.output.row(row + i);
        for (int32_t x = 0; x < s_.out_w; ++x) {
          in_[n] = in;
          out_[n] = out;
          in += static_cast<size_t>(s_.stride_w) * pixel;
          out += s_.out_c;
          if (++n == kConvArmMaxPixels) {
            Compute(n);
            n = 0;
          }
        }
      }
      if (n > 0) Compute(n);
      row += rows;
    }
  }

  // Input row iy of image b, with the zero points around it that windows reach.
  void FillRow(int32_t b, int32_t iy, int8_t* to) {
    const int32_t width = PanelColumns(s_);
    int32_t left = s_.pad_left < width ? s_.pad_left : width;
    int32_t middle = width - left < s_.in_w ? width - left : s_.in_w;
    if (iy < 0 || iy >= s_.in_h) {
      left = width;
      middle = 0;
    }
    const size_t pixel = static_cast<size_t>(s_.in_c);
    const size_t left_bytes = static_cast<size_t>(left) * pixel;
    const size_t middle_bytes = static_cast<size_t>(middle) * pixel;
    std::memset(to, s_.input_zero_point, left_bytes);
    if (middle > 0) std::memcpy(to + left_bytes, run_.input.row(b * s_.in_h + iy), middle_bytes);
    std::memset(to + left_bytes + middle_bytes, s_.input_zero_point,
                static_cast<size_t>(width - left - middle) * pixel);
  }

  // The pixels of in_ and out_, all channels of the run.
  void Compute(int32_t pixels) {
    const uint8_t* pack = static_cast<const uint8_t*>(run_.pack);
    const int32_t* flags = reinterpret_cast<const int32_t*>(pack);
    const ConvArmConstants* constants =
        reinterpret_cast<const ConvArmConstants*>(pack + l_.constants_at);
    const int8_t* weights = reinterpret_cast<const int8_t*>(pack + l_.weights_at);
    const int32_t cin = s_.group_in_c(), cout = s_.group_out_c();
    job_.pixels = pixels;
    for (int32_t g = run_.channel_begin / cout; g < s_.groups && g * cout < run_.channel_end; ++g) {
      // This group's channels of the run, counted from the group's first.
      const int32_t begin = run_.channel_begin > g * cout ? run_.channel_begin - g * cout : 0;
      const int32_t end = run_.channel_end < (g + 1) * cout ? run_.channel_end - g * cout : cout;
      const int32_t first = begin / kConvArmBlock;
      const int32_t block = g * l_.group_blocks + first;
      job_.blocks = CeilDiv(end, kConvArmBlock) - first;
      job_.lane_begin = begin - first * kConvArmBlock;
      job_.lane_end = end - first * kConvArmBlock;
      job_.flags = flags + block;
      job_.constants = constants + block;
      job_.weights = weights + static_cast<size_t>(block) * l_.block_bytes;
      job_.in_offset = static_cast<ptrdiff_t>(g) * cin;
      job_.out_offset = static_cast<ptrdiff_t>(g) * cout + first * kConvArmBlock;
      job_.correction = nullptr;
      if (s_.weight_zero_point != 0) Correct(pixels);
      compute_(job_);
    }
  }

  // Packed weights are w where w - weight_zero_point is meant: the difference is
  // -weight_zero_point * sum(x - input_zero_point).
  void Correct(int32_t pixels) {
    const int64_t count = int64_t{job_.segments} * l_.segment;
    for (int32_t p = 0; p < pixels; ++p) {
      uint32_t sum = static_cast<uint32_t>(-count * s_.input_zero_point);
      for (int32_t i = 0; i < job_.segments; ++i) {
        const int8_t* in = in_[p] + job_.in_offset + segments_[i];
        for (int32_t e = 0; e < l_.segment; ++e) sum += static_cast<uint32_t>(int32_t{in[e]});
      }
      correction_[p] = static_cast<int32_t>(0u - static_cast<uint32_t>(s_.weight_zero_point) * sum);
    }
    job_.correction = correction_;
  }

  const QS8ConvRun& run_;
  const QS8ConvShape& s_;
  const ConvArmShape l_;
  const ConvArmCompute compute_;
  bool in_place_;
  ptrdiff_t one_segment_ = 0;
  ptrdiff_t* segments_ = &one_segment_;
  int8_t* panel_ = nullptr;
  ConvArmJob job_;
  const int8_t* in_[kConvArmMaxPixels];
  int8_t* out_[kConvArmMaxPixels];
  int32_t correction_[kConvArmMaxPixels];
};

}  // namespace

size_t ConvArmScratchBytes(const QS8ConvShape& s, const ConvArmLayout& layout) {
  if (InPlace(s, layout)) return 0;
  const size_t panel = PixelByPixel(s)
                           ? static_cast<size_t>(kCopiedPixels) * static_cast<size_t>(s.in_c)
                           : static_cast<size_t>(PanelRows(s, BandRows(s))) * PanelRowBytes(s);
  return SegmentBytes(ConvArmShape(s, layout)) + RoundUp(panel + kSlack, kAlign);
}

size_t QS8ConvNeonScratchBytes(const QS8ConvShape& s) {
  return ConvArmScratchBytes(s, kConvArmNeon);
}
size_t QS8ConvNeonDotScratchBytes(const QS8ConvShape& s) {
  return ConvArmScratchBytes(s, kConvArmDot);
}
size_t QS8ConvNeonI8mmScratchBytes(const QS8ConvShape& s) {
  return ConvArmScratchBytes(s, kConvArmI8mm);
}

void ConvArmRun(const QS8ConvRun& run, const ConvArmLayout& layout, ConvArmCompute compute) {
  if (run.row_begin >= run.row_end || run.channel_begin >= run.channel_end) return;
  Runner(run, layout, compute).Run();
}

}  // namespace octet
