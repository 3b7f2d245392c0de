#include "kernels/qs8_conv/qs8_conv_x86.h"

#include <cmath>
#include <cstring>

#include "kernels/common/requant_fixed.h"
#include "kernels/qs8_conv/qs8_conv.h"

namespace octet {
namespace {

constexpr size_t kAlign = 64;
constexpr size_t kPanelBytes = 24 * 1024;  // a panel that leaves room in L1 for weights
constexpr int32_t kBandRows = 8;           // wanted in a band
constexpr int64_t kThinPanelBytes = 4 * 1024, kThinPixels = 96;
constexpr size_t kSlack = 128;  // after the panel: for copy() and the last step

size_t RoundUp(size_t n, size_t to) { return (n + to - 1) / to * to; }
int32_t CeilDiv(int32_t a, int32_t b) { return (a + b - 1) / b; }

// What is added to x before it is multiplied, and in the panel.
int32_t Excess(const ConvX86Isa& isa) {
  return isa.element_bytes == 1 && !isa.signed_product ? 128 : 0;
}
int32_t PanelExcess(const ConvX86Isa& isa) { return isa.signed_panel ? 0 : Excess(isa); }

// The parts of a pack and of a panel, from the shape alone.
struct Layout {
  // Segments.
  int32_t outer, inner;
  int32_t segment;  // elements
  int32_t steps;
  // Pack: forms, constants of every block, the rest of those, weights of every block.
  int32_t group_blocks;
  size_t constants_at, rest_at, weights_at, block_bytes, bytes;

  Layout(const QS8ConvShape& s, const ConvX86Isa& isa) {
    const bool whole_rows = s.groups == 1 && (s.dilation_w == 1 || s.kernel_w == 1);
    outer = s.kernel_h;
    inner = whole_rows ? 1 : s.kernel_w;
    segment = whole_rows ? s.kernel_w * s.in_c : s.group_in_c();
    steps = CeilDiv(segment, isa.unit);
    if (isa.step_multiple > 1) steps = CeilDiv(steps, isa.step_multiple) * isa.step_multiple;
    group_blocks = CeilDiv(s.group_out_c(), kConvX86Block);
    const size_t blocks = static_cast<size_t>(group_blocks) * static_cast<size_t>(s.groups);
    constants_at = RoundUp(blocks * sizeof(int32_t), kAlign);
    rest_at = constants_at + blocks * sizeof(ConvX86Constants);
    weights_at = rest_at + blocks * sizeof(ConvX86Rest);
    block_bytes = static_cast<size_t>(outer) * static_cast<size_t>(inner) *
                  static_cast<size_t>(steps) * static_cast<size_t>(isa.unit) *
                  static_cast<size_t>(ConvX86WeightLanes(isa.lanes)) *
                  static_cast<size_t>(isa.element_bytes);
    bytes = weights_at + blocks * block_bytes;
  }
};

// The offsets of segments lie before the panel.
size_t SegmentBytes(const Layout& l) {
  return RoundUp(static_cast<size_t>(l.outer) * static_cast<size_t>(l.inner) * sizeof(ptrdiff_t),
                 kAlign);
}

// How many output rows (KxK) or pixels (pointwise) share a panel.
int32_t PanelPixels(const QS8ConvShape& s, const ConvX86Isa& isa) {
  const int64_t row = int64_t{s.in_c} * isa.element_bytes;
  const int64_t weights = int64_t{s.group_in_c()} * s.out_c;
  const bool tiles = isa.step_multiple > 1;  // AMX: pairs of tiles of 16 pixels
  int64_t n = tiles ? kConvX86MaxPixels : (weights <= 16 * 1024 ? 24 : 48);
  // Thin pixels are soon done with: more of them for each job, where scratch isn't scarce.
  if (!tiles && s.run_rows == 0 && n * row < kThinPanelBytes) {
    n = kThinPanelBytes / row < kThinPixels ? kThinPanelBytes / row : kThinPixels;
  }
  if (n * row > static_cast<int64_t>(kPanelBytes)) n = static_cast<int64_t>(kPanelBytes) / row;
  if (tiles) {
    n = n < 32 ? 32 : n / 32 * 32;
  } else {
    n = n < 12 ? 12 : n / 6 * 6;
  }
  const int64_t rows = int64_t{s.batch} * s.out_h;
  const int64_t all = (s.run_rows > 0 && s.run_rows < rows ? s.run_rows : rows) * s.out_w;
  return static_cast<int32_t>(all < n ? all : n);
}

// Pixels of a row in the panel: those that windows reach.
int32_t PanelWidth(const QS8ConvShape& s) {
  return (s.out_w - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w + 1;
}

size_t PanelRowBytes(const QS8ConvShape& s, const ConvX86Isa& isa) {
  return static_cast<size_t>(PanelWidth(s)) * static_cast<size_t>(s.in_c) *
         static_cast<size_t>(isa.element_bytes);
}

// Input rows in the panel for `rows` output rows. With vertical dilation a panel is for one output
// row and holds the rows of its taps alone.
int32_t PanelRows(const QS8ConvShape& s, int32_t rows) {
  return (rows - 1) * s.stride_h + s.kernel_h;
}

int32_t BandRows(const QS8ConvShape& s, const ConvX86Isa& isa) {
  if (s.dilation_h > 1 && s.kernel_h > 1) return 1;
  if (s.band_limit() == 1) return 1;
  // Where bands share rows, so many that those are few, if rows are short.
  const size_t row_bytes = PanelRowBytes(s, isa);
  int32_t wanted = CeilDiv(kConvX86MaxPixels / 2, s.out_w);
  while (s.kernel_h > s.stride_h && wanted < kBandRows &&
         static_cast<size_t>(PanelRows(s, wanted + 1)) * row_bytes <= kPanelBytes / 2) {
    ++wanted;
  }
  int32_t rows = wanted < s.band_limit() ? wanted : s.band_limit();
  while (rows > 1 && static_cast<size_t>(PanelRows(s, rows)) * row_bytes > 2 * kPanelBytes) --rows;
  return rows;
}

void PackWeights(const QS8ConvShape& s, const int8_t* w, const Layout& l, const ConvX86Isa& isa,
                 int32_t lane, uint8_t* block) {
  // The last step of a segment is filled up with zeros: what the panel has there does not matter.
  const int32_t segments = l.outer * l.inner;
  const size_t unit = static_cast<size_t>(isa.unit);
  const size_t step = unit * static_cast<size_t>(ConvX86WeightLanes(isa.lanes));
  for (int32_t i = 0; i < segments; ++i) {
    const int8_t* from = w + static_cast<size_t>(i) * static_cast<size_t>(l.segment);
    size_t at = static_cast<size_t>(i) * static_cast<size_t>(l.steps) * step +
                static_cast<size_t>(lane) * unit;
    for (int32_t e = 0; e < l.segment; e += isa.unit, at += step) {
      const int32_t n = l.segment - e < isa.unit ? l.segment - e : isa.unit;
      if (isa.element_bytes == 1) {
        if (n == 4) {
          std::memcpy(block + at, from + e, 4);  // the usual case, one store
        } else {
          std::memcpy(block + at, from + e, static_cast<size_t>(n));
        }
        continue;
      }
      for (int32_t j = 0; j < n; ++j) {
        const int16_t v = static_cast<int16_t>(from[e + j] - s.weight_zero_point);
        std::memcpy(block + (at + static_cast<size_t>(j)) * 2, &v, 2);
      }
    }
  }
}

// The walk over one run.
class Runner {
 public:
  Runner(const QS8ConvRun& run, const ConvX86Isa& isa)
      : run_(run),
        s_(*run.shape),
        isa_(isa),
        layout_(s_, isa),
        segments_(static_cast<ptrdiff_t*>(run.scratch)),
        panel_(static_cast<uint8_t*>(run.scratch) + SegmentBytes(layout_)) {
    pixel_bytes_ = static_cast<size_t>(s_.in_c) * static_cast<size_t>(isa.element_bytes);
    job_.steps = layout_.steps;
    job_.block_bytes = layout_.block_bytes;
    job_.zero_point = s_.output_zero_point;
    job_.act_min = s_.act_min;
    job_.act_max = s_.act_max;
    job_.in = in_;
    job_.out = out_;
    job_.segments = layout_.outer * layout_.inner;
    job_.segment_at = segments_;
    job_.tile_rows = &tile_rows_;
  }

  void Pointwise() {
    segments_[0] = 0;
    const int32_t width = s_.out_w;
    const size_t in_c = static_cast<size_t>(s_.in_c), out_c = static_cast<size_t>(s_.out_c);
    const int32_t panel_pixels = PanelPixels(s_, isa_);
    const int64_t total = int64_t{run_.row_end - run_.row_begin} * width;
    // Divisions that a single panel, or a single row of a ring, can do without would take a good
    // part of its time.
    const int32_t panels =
        total <= panel_pixels ? 1 : static_cast<int32_t>((total + panel_pixels - 1) / panel_pixels);
    // Rows that lie one behind the other are one long row.
    const int32_t rows = run_.row_end - run_.row_begin;
    const bool contiguous = rows == 1 || (run_.input.contiguous(run_.row_begin, rows) == rows &&
                                          run_.output.contiguous(run_.row_begin, rows) == rows &&
                                          run_.input.stride == in_c * static_cast<size_t>(width) &&
                                          run_.output.stride == out_c * static_cast<size_t>(width));
    // Where the panel would hold the same bytes, and steps end where pixels do, none is needed.
    const bool direct = contiguous && isa_.signed_panel && s_.groups == 1 &&
                        layout_.steps * isa_.unit == layout_.segment;
    const int8_t* const from = contiguous ? run_.input.row(run_.row_begin) : nullptr;
    if (contiguous) {
      const uint8_t* in = direct ? reinterpret_cast<const uint8_t*>(from) : panel_;
      List(0, panel_pixels, in, pixel_bytes_, run_.output.row(run_.row_begin));
    }
    job_.width = kConvX86MaxPixels;
    job_.out_pitch = contiguous ? s_.out_c : 0;
    job_.pitch = static_cast<ptrdiff_t>(pixel_bytes_);
    int32_t row = run_.row_begin, x = 0;
    int64_t done = 0;
    for (int32_t i = 0; i < panels; ++i) {
      const int32_t n = static_cast<int32_t>(panels == 1 ? total : total * (i + 1) / panels - done);
      if (contiguous) {
        const size_t pixel = static_cast<size_t>(done);
        if (direct) {
          in_delta_ = static_cast<ptrdiff_t>(pixel * in_c);
        } else {
          isa_.copy(from + pixel * in_c, static_cast<size_t>(n) * in_c, panel_);
        }
        out_delta_ = static_cast<ptrdiff_t>(pixel * out_c);
      }
      for (int32_t filled = 0; !contiguous && filled < n;) {
        const int32_t stretch = n - filled < width - x ? n - filled : width - x;
        uint8_t* to = panel_ + static_cast<size_t>(filled) * pixel_bytes_;
        isa_.copy(run_.input.row(row) + static_cast<size_t>(x) * in_c,
                  static_cast<size_t>(stretch) * in_c, to);
        List(filled, stretch, to, pixel_bytes_,
             run_.output.row(row) + static_cast<size_t>(x) * out_c);
        filled += stretch;
        x += stretch;
        if (x == width) {
          x = 0;
          ++row;
        }
      }
      done += n;
      std::memset(panel_ + static_cast<size_t>(n) * pixel_bytes_, 0, 8);
      Compute(n);
    }
  }

  void Windows() {
    const bool slots = s_.dilation_h > 1 && s_.kernel_h > 1;  // one panel row a tap
    const size_t row_bytes = PanelRowBytes(s_, isa_);
    for (int32_t i = 0; i < layout_.outer; ++i) {
      for (int32_t j = 0; j < layout_.inner; ++j) {
        segments_[i * layout_.inner + j] = static_cast<ptrdiff_t>(
            static_cast<size_t>(i) * row_bytes +
            static_cast<size_t>(j) * static_cast<size_t>(s_.dilation_w) * pixel_bytes_);
      }
    }
    const int32_t band = BandRows(s_, isa_);
    const size_t x_bytes = static_cast<size_t>(s_.stride_w) * pixel_bytes_;
    const size_t y_bytes = static_cast<size_t>(s_.stride_h) * row_bytes;
    const size_t row_out = static_cast<size_t>(s_.out_w) * static_cast<size_t>(s_.out_c);
    job_.pitch = static_cast<ptrdiff_t>(x_bytes);
    job_.shared_taps = s_.kernel_w == 3 && s_.stride_w == 1 && layout_.inner == 1 &&
                       s_.in_c % isa_.unit == 0 && layout_.steps * isa_.unit == layout_.segment;
    // Rows of output whose pixels the lists can hold, those that they hold, and where these begin.
    const int32_t most = kConvX86MaxPixels / s_.out_w;
    int32_t listed_rows = 0;
    const int8_t* listed = nullptr;
    for (int32_t row = run_.row_begin; row < run_.row_end;) {
      const int32_t b = row / s_.out_h, y = row % s_.out_h;
      int32_t rows = s_.out_h - y;  // a band stays within an image
      if (rows > run_.row_end - row) rows = run_.row_end - row;
      if (rows > band) rows = CeilDiv(rows, CeilDiv(rows, band));  // bands of equal height
      FillRows(b, y * s_.stride_h - s_.pad_top, slots ? s_.dilation_h : 1, PanelRows(s_, rows),
               s_.kernel_h, !slots && s_.kernel_h < s_.stride_h ? s_.stride_h : s_.kernel_h);
      if (most > 0 && run_.output.contiguous(row, rows) == rows) {
        const int32_t some = rows <= most ? rows : CeilDiv(rows, CeilDiv(rows, most));
        if (listed_rows < some) {
          for (int32_t i = 0; i < some; ++i) {
            List(i * s_.out_w, s_.out_w, panel_ + static_cast<size_t>(i) * y_bytes, x_bytes,
                 run_.output.row(row + i));
          }
          listed_rows = some;
          listed = run_.output.row(row);
        }
        for (int32_t i = 0; i < rows; i += some) {
          in_delta_ = static_cast<ptrdiff_t>(static_cast<size_t>(i) * y_bytes);
          out_delta_ = run_.output.row(row + i) - listed;
          job_.width = s_.out_w;
          job_.out_pitch = run_.output.stride == row_out ? s_.out_c : 0;
          Compute((rows - i < some ? rows - i : some) * s_.out_w);
        }
        row += rows;
        continue;
      }
      listed_rows = 0;
      in_delta_ = out_delta_ = 0;
      job_.width = most > 0 ? s_.out_w : 0;
      job_.out_pitch = 0;
      int32_t n = 0;
      for (int32_t i = 0; i < rows; ++i) {
        const uint8_t* in = panel_ + static_cast<size_t>(i) * y_bytes;
        int8_t* out = run_.output.row(row + i);
        for (int32_t x = 0; x < s_.out_w;) {
          int32_t stretch = kConvX86MaxPixels - n;
          if (stretch > s_.out_w - x) stretch = s_.out_w - x;
          List(n, stretch, in + static_cast<size_t>(x) * x_bytes, x_bytes,
               out + static_cast<size_t>(x) * static_cast<size_t>(s_.out_c));
          n += stretch;
          x += stretch;
          if (n == kConvX86MaxPixels) {
            Compute(n);
            n = 0;
          }
        }
      }
      if (n > 0) Compute(n);
      row += rows;
    }
  }

 private:
  // Pixels [at, at + n) of the lists.
  void List(int32_t at, int32_t n, const uint8_t* in, size_t in_bytes, int8_t* out) {
    for (int32_t i = at; i < at + n; ++i, in += in_bytes, out += s_.out_c) {
      in_[i] = in;
      out_[i] = out;
    }
  }

  // Input rows iy, iy + iy_step ... of image b to the panel, `rows` of them (of each `period` the
  // first `used`), with the zero points around the image that windows reach. All that the loop
  // needs is in registers: rows are short, and members would be fetched again after each store.
  void FillRows(int32_t b, int32_t iy, int32_t iy_step, int32_t rows, int32_t used,
                int32_t period) {
    const int32_t width = PanelWidth(s_);
    const int32_t left = s_.pad_left < width ? s_.pad_left : width;
    // Negative padding would begin inside the image; check() does not let it through.
    const int32_t middle = width - left < s_.in_w ? width - left : s_.in_w;
    const size_t left_bytes = static_cast<size_t>(left) * pixel_bytes_;
    const size_t elements = static_cast<size_t>(middle) * static_cast<size_t>(s_.in_c);
    const size_t right_at = static_cast<size_t>(left + middle) * pixel_bytes_;
    const size_t row_bytes = static_cast<size_t>(width) * pixel_bytes_;
    uint32_t x = static_cast<uint32_t>(s_.input_zero_point + PanelExcess(isa_));
    x = isa_.element_bytes == 1 ? (x & 0xff) * 0x01010101u : (x & 0xffff) * 0x00010001u;
    const uint64_t zeros = uint64_t{x} << 32 | x;
    // A few bytes too far, as copy() does: they are mostly some pixels, for which a call of memset
    // would take longer.
    const auto fill = [zeros](uint8_t* to, size_t n) {
      for (size_t i = 0; i < n; i += 16) {
        std::memcpy(to + i, &zeros, 8);
        std::memcpy(to + i + 8, &zeros, 8);
      }
    };
    const auto copy = isa_.copy;
    const Rows<const int8_t> input = run_.input;
    const int32_t first = b * s_.in_h, in_h = s_.in_h;
    uint8_t* to = panel_;
    for (int32_t i = 0, of_period = 0; i < rows; ++i, iy += iy_step, to += row_bytes) {
      const bool skip = of_period >= used;
      if (++of_period == period) of_period = 0;
      if (skip) continue;
      if (iy < 0 || iy >= in_h) {
        fill(to, row_bytes);
        continue;
      }
      fill(to, left_bytes);
      if (elements > 0) copy(input.row(first + iy), elements, to + left_bytes);
      fill(to + right_at, row_bytes - right_at);
    }
    std::memset(to, 0, 8);
  }

  // The first pixels of in_ and out_, all channels of the run.
  void Compute(int32_t pixels) {
    const uint8_t* pack = static_cast<const uint8_t*>(run_.pack);
    const int32_t* forms = reinterpret_cast<const int32_t*>(pack);
    const ConvX86Constants* constants =
        reinterpret_cast<const ConvX86Constants*>(pack + layout_.constants_at);
    const ConvX86Rest* rest = reinterpret_cast<const ConvX86Rest*>(pack + layout_.rest_at);
    const uint8_t* weights = pack + layout_.weights_at;
    const int32_t cin = s_.group_in_c(), cout = s_.group_out_c();
    job_.pixels = pixels;
    const int32_t first_group = s_.groups == 1 ? 0 : run_.channel_begin / cout;
    for (int32_t g = first_group; g < s_.groups && g * cout < run_.channel_end; ++g) {
      // This group's channels of the run, counted from the group's first.
      const int32_t begin = run_.channel_begin > g * cout ? run_.channel_begin - g * cout : 0;
      const int32_t end = run_.channel_end < (g + 1) * cout ? run_.channel_end - g * cout : cout;
      const int32_t first = begin / kConvX86Block;
      const int32_t block = g * layout_.group_blocks + first;
      job_.blocks = CeilDiv(end, kConvX86Block) - first;
      job_.lane_begin = begin - first * kConvX86Block;
      job_.lane_end = end - first * kConvX86Block;
      job_.forms = forms + block;
      job_.constants = constants + block;
      job_.rest = rest + block;
      job_.weights = weights + static_cast<size_t>(block) * layout_.block_bytes;
      job_.in_offset = in_delta_ + static_cast<ptrdiff_t>(g) * cin * isa_.element_bytes;
      job_.out_offset = out_delta_ + static_cast<ptrdiff_t>(g) * cout + first * kConvX86Block;
      job_.correction = nullptr;
      if (s_.weight_zero_point != 0 && isa_.element_bytes == 1) Correct(pixels);
      isa_.compute(job_);
    }
  }

  // Packed weights are w where w - weight_zero_point is meant: the difference is
  // -weight_zero_point * sum(x - input_zero_point).
  void Correct(int32_t pixels) {
    const int64_t count = int64_t{s_.kernel_h} * s_.kernel_w * s_.group_in_c();
    const uint32_t zeros = static_cast<uint32_t>(count * s_.input_zero_point);
    isa_.sums(job_, static_cast<size_t>(layout_.segment), correction_);
    for (int32_t p = 0; p < pixels; ++p) {
      const uint32_t sum = static_cast<uint32_t>(correction_[p]) - zeros;
      correction_[p] = static_cast<int32_t>(0u - static_cast<uint32_t>(s_.weight_zero_point) * sum);
    }
    job_.correction = correction_;
  }

  const QS8ConvRun& run_;
  const QS8ConvShape& s_;
  const ConvX86Isa& isa_;
  const Layout layout_;
  ptrdiff_t* segments_;
  uint8_t* panel_;
  size_t pixel_bytes_;
  ptrdiff_t in_delta_ = 0;   // from where in_ points to where input is
  ptrdiff_t out_delta_ = 0;  // from where out_ points to where output goes
  int32_t tile_rows_ = 0;
  ConvX86Job job_;
  const uint8_t* in_[kConvX86MaxPixels];
  int8_t* out_[kConvX86MaxPixels];
  int32_t correction_[kConvX86MaxPixels];
};

}  // namespace

ConvX86Form ConvX86PackChannel(const QS8ConvShape& s, const QS8ConvConstants& k,
                               const ConvX86Isa& isa, int32_t n, int32_t lane,
                               ConvX86BlockConstants to) {
  const int64_t count = int64_t{s.kernel_h} * s.kernel_w * s.group_in_c();
  const int8_t* w = k.weights + static_cast<size_t>(n) * static_cast<size_t>(count);
  const int32_t bias = k.bias != nullptr ? k.bias[n] : 0;
  // Over all inputs: the sum of weights, and the ends of the accumulator's range.
  int64_t up = 0, down = 0;  // sums of the positive and of the negative weights
  for (int64_t begin = 0; begin < count;) {
    const int64_t end = begin + (1 << 20) < count ? begin + (1 << 20) : count;
    int32_t some_up = 0, some_down = 0;  // 32 bits are enough for a while, and twice as fast
    for (; begin < end; ++begin) {
      const int32_t v = w[begin] - s.weight_zero_point;
      some_up += v > 0 ? v : 0;
      some_down += v < 0 ? v : 0;
    }
    up += some_up;
    down += some_down;
  }
  const int32_t x_low = -128 - s.input_zero_point, x_high = 127 - s.input_zero_point;
  const int64_t sum = up + down;
  const int64_t low = bias + up * x_low + down * x_high;
  const int64_t high = bias + up * x_high + down * x_low;
  // int16: the packed weights are w - weight_zero_point. Else they are w (ConvX86Run corrects for
  // their zero point), and the panel may hold x + 128.
  const int64_t packed = isa.element_bytes == 2 ? sum : sum + count * s.weight_zero_point;
  const int32_t x_zero = s.input_zero_point + Excess(isa);
  const uint32_t folded =
      static_cast<uint32_t>(bias) - static_cast<uint32_t>(x_zero) * static_cast<uint32_t>(packed);
  std::memcpy(&to.constants->bias[lane], &folded, sizeof folded);

  const Multiplier q = k.scales.multiplier(n);
  to.rest->multiplier[lane] = q.m;
  to.rest->shift[lane] = q.shift;
  RequantFixedChannel c;
  const bool holds = FitRequantFixed(q, s.output_zero_point, low, high, &c);
  const bool relu = s.act_min >= s.output_zero_point;
  to.constants->scale[lane] = c.scale;
  if (relu) {
    to.constants->offset[lane] = c.offset_relu;
  } else if (isa.lanes == kConvX86EvenOdd) {
    to.constants->positive[lane] = c.offset + c.bias;
    to.rest->negative[lane] = c.offset - c.bias;
  } else {
    to.constants->sign_bias[lane] = c.bias;
  }
  if (!holds) return kConvX86Integer;
  return relu ? kConvX86Relu : kConvX86Signed;
}

ConvX86Form ConvX86BeginBlock(const QS8ConvShape& s, ConvX86Lanes lanes, ConvX86BlockConstants to) {
  const bool is_signed = s.act_min < s.output_zero_point;
  // Lanes without a channel are never to be doubtful.
  if (!is_signed || lanes == kConvX86EvenOdd) {
    for (float& offset : to.constants->offset) offset = 32768.f;
    for (float& negative : to.rest->negative) negative = 32768.f;
  }
  return is_signed ? kConvX86Signed : kConvX86Relu;
}

size_t ConvX86PackBytes(const QS8ConvShape& s, const ConvX86Isa& isa) {
  return Layout(s, isa).bytes;
}

size_t ConvX86ScratchBytes(const QS8ConvShape& s, const ConvX86Isa& isa) {
  const size_t panel =
      s.pointwise() ? static_cast<size_t>(PanelPixels(s, isa)) * static_cast<size_t>(s.in_c) *
                          static_cast<size_t>(isa.element_bytes)
                    : static_cast<size_t>(PanelRows(s, BandRows(s, isa))) * PanelRowBytes(s, isa);
  return SegmentBytes(Layout(s, isa)) + RoundUp(panel + kSlack, kAlign);
}

void ConvX86Pack(const QS8ConvShape& s, const QS8ConvConstants& k, const ConvX86Isa& isa,
                 void* pack) {
  const Layout l(s, isa);
  uint8_t* bytes = static_cast<uint8_t*>(pack);
  int32_t* forms = reinterpret_cast<int32_t*>(bytes);
  ConvX86Constants* constants = reinterpret_cast<ConvX86Constants*>(bytes + l.constants_at);
  ConvX86Rest* rest = reinterpret_cast<ConvX86Rest*>(bytes + l.rest_at);
  const int32_t cout = s.group_out_c();
  const size_t count = static_cast<size_t>(s.kernel_h) * static_cast<size_t>(s.kernel_w) *
                       static_cast<size_t>(s.group_in_c());
  for (int32_t block = 0; block < l.group_blocks * s.groups; ++block) {
    const int32_t first = block % l.group_blocks * kConvX86Block;
    const ConvX86BlockConstants to = {&constants[block], &rest[block]};
    forms[block] = ConvX86BeginBlock(s, isa.lanes, to);
    for (int32_t i = 0; i < kConvX86Block && first + i < cout; ++i) {
      const int32_t n = block / l.group_blocks * cout + first + i;
      const int32_t lane = ConvX86Lane(isa.lanes, i);
      const ConvX86Form form = ConvX86PackChannel(s, k, isa, n, lane, to);
      if (isa.lanes == kConvX86Eight) {
        ConvX86PackChannel(s, k, isa, n, lane + 2, to);
      }
      if (form == kConvX86Integer) forms[block] = kConvX86Integer;
      PackWeights(s, k.weights + static_cast<size_t>(n) * count, l, isa,
                  ConvX86WeightLane(isa.lanes, i),
                  bytes + l.weights_at + static_cast<size_t>(block) * l.block_bytes);
    }
  }
}

void ConvX86Run(const QS8ConvRun& run, const ConvX86Isa& isa) {
  if (run.row_begin >= run.row_end || run.channel_begin >= run.channel_end) return;
  Runner runner(run, isa);
  run.shape->pointwise() ? runner.Pointwise() : runner.Windows();
  if (isa.release != nullptr) isa.release();
}

bool ConvX86AmxPays(const QS8ConvShape& s) {
  const ConvX86Isa amx = {4,    1,  kConvX86InOrder, nullptr, nullptr, nullptr, true,
                          true, 16, nullptr};
  const ConvX86Isa avx512 = {4, 1, kConvX86InOrder, nullptr, nullptr, nullptr};
  const Layout tiles(s, amx), vectors(s, avx512);
  const uint64_t pixels = static_cast<uint64_t>(int64_t{s.batch} * s.out_h * s.out_w);
  // Neighbouring pixels that tiles are cut from, and how many such stretches there are.
  const uint64_t stretch = s.pointwise() ? pixels : static_cast<uint64_t>(s.out_w);
  const uint64_t cuts = (stretch + 15) / 16 * (pixels / stretch);
  const uint64_t blocks =
      static_cast<uint64_t>(tiles.group_blocks) * static_cast<uint64_t>(s.groups);
  const uint64_t segments = static_cast<uint64_t>(tiles.outer) * static_cast<uint64_t>(tiles.inner);
  // In hundredths of a cycle. Any tile costs 16 cycles for each 64 elements of a dot product, or
  // its weights would not arrive in time; with one block of channels twice that, for half of the
  // accumulators are idle. Every 16 outputs cost 5 cycles of requantisation, and with AMX 3 more
  // through memory. A job costs some 150 cycles more, a run 2000 (tiles must be configured); the
  // clock is 15 % lower. A vpdpbusd costs half a cycle, and loops a tenth of that.
  const uint64_t multiply =
      segments * static_cast<uint64_t>(tiles.steps / 16) * (tiles.group_blocks == 1 ? 3200 : 1600);
  const uint64_t by_amx =
      (cuts * blocks * multiply + pixels * blocks * 800 + pixels / 64 * 15000 + 200000) / 100 * 115;
  const uint64_t by_avx512 =
      pixels * blocks * (segments * static_cast<uint64_t>(vectors.steps) * 55 + 500);
  return by_amx / 5 * 6 < by_avx512;  // not for a sixth
}

}  // namespace octet
