// The walk of the ARM kernels of qs8_dwconv over the output; portable code.
#include "kernels/qs8_dwconv/qs8_dwconv_arm.h"

#include <cstring>

namespace octet {
namespace {

class Runner {
 public:
  Runner(const QS8DwConvRun& run, bool dot) : run_(run), s_(*run.shape), plan_(s_, dot) {
    uint8_t* const scratch = static_cast<uint8_t*>(run.scratch);
    rows_ = reinterpret_cast<const int8_t**>(scratch);
    taps_ = reinterpret_cast<const int8_t**>(scratch + plan_.rows_bytes);
    plain_ = reinterpret_cast<int8_t*>(scratch + plan_.rows_bytes + plan_.taps_bytes);
    part_ = plain_ + plan_.plain_bytes;
    staged_ = part_ + plan_.part_bytes;
    tile_.zero_point = s_.output_zero_point;
    tile_.act_min = s_.act_min;
    tile_.act_max = s_.act_max;
    tile_.tap = taps_;
    tile_.staged = staged_;
    tile_.groups = plan_.groups;
    tile_.row_weights = plan_.weight_bytes / static_cast<size_t>(plan_.pair);
    tile_.kernel_w = s_.kernel_w;
    tile_.stride_w = s_.stride_w;
    tile_.dilation_w = s_.dilation_w;
  }

  void Run(DwArmInterleaveFn interleave, DwArmTileFn tile) {
    interleave_ = interleave;
    compute_ = tile;
    const int32_t channel_end = run_.channel_end * s_.depth_multiplier;
    const int32_t first = run_.channel_begin * s_.depth_multiplier / kDwArmBlock;
    for (int32_t row = run_.row_begin; row < run_.row_end;) {
      const int32_t image = row / s_.out_h, y = row % s_.out_h;
      tile_.rows = plan_.pair == 2 && y + 1 < s_.out_h && row + 1 < run_.row_end ? 2 : 1;
      inside_ = true;
      for (int32_t i = 0; i < plan_.window_rows; ++i) {
        const int32_t iy = y * s_.stride_h - s_.pad_top + i * s_.dilation_h;
        // A single row of a pair needs no row of the other's.
        const bool inside =
            iy >= 0 && iy < s_.in_h && (tile_.rows == plan_.pair || i < s_.kernel_h);
        rows_[i] = inside ? run_.input.row(image * s_.in_h + iy) : nullptr;
        inside_ = inside_ && inside;
      }
      for (int32_t block = first; block * kDwArmBlock < channel_end; ++block) {
        SetBlock(block, row);
        interleave_ != nullptr ? RowByDot() : RowByTaps();
      }
      row += tile_.rows;
    }
  }

 private:
  void SetBlock(int32_t block, int32_t row) {
    const uint8_t* const pack = static_cast<const uint8_t*>(run_.pack);
    begin_ = block * kDwArmBlock;
    channels_ = s_.out_c() - begin_ < kDwArmBlock ? s_.out_c() - begin_ : kDwArmBlock;
    tile_.flags = reinterpret_cast<const int32_t*>(pack)[block];
    tile_.constants = reinterpret_cast<const DwArmConstants*>(pack + plan_.constants_at) + block;
    tile_.weights = reinterpret_cast<const int8_t*>(pack + plan_.weights_at) +
                    static_cast<size_t>(block) * plan_.block_bytes;
    const bool wide = (tile_.flags & kDwArmWide) != 0;
    tile_.weight_sets = wide ? plan_.weight_sets : 1;
    tile_.taps = wide ? plan_.taps : plan_.taps / plan_.weight_sets;
    order_ = plan_.nine && !wide
                 ? reinterpret_cast<const uint8_t*>(tile_.weights + plan_.weight_bytes)
                 : nullptr;
    if (!Whole()) {
      for (int32_t lane = 0; lane < channels_; ++lane) {
        channel_[lane] = (begin_ + lane) / s_.depth_multiplier;
      }
    }
    for (int32_t i = 0; i < tile_.rows; ++i) out_[i] = run_.output.row(row + i) + begin_;
  }

  bool Whole() const { return channels_ == kDwArmBlock && s_.depth_multiplier == 1; }

  int32_t Columns(int32_t outputs) const {
    return (outputs - 1) * s_.stride_w + (s_.kernel_w - 1) * s_.dilation_w + 1;
  }

  void RowByTaps() {
    if (Whole() && inside_) {
      int32_t x = 0;
      // Outputs whose window lies inside the image.
      const int32_t begin = (s_.pad_left + s_.stride_w - 1) / s_.stride_w;
      const int32_t room = s_.in_w + s_.pad_left - Columns(1);
      int32_t end = room < 0 ? 0 : room / s_.stride_w + 1;
      if (end > s_.out_w) end = s_.out_w;
      if (begin < end) {
        while (x < begin) Edge(x++);
        Taps(begin_, static_cast<size_t>(s_.in_c), x * s_.stride_w - s_.pad_left);
        Compute(x, end - x);
        x = end;
      }
      while (x < s_.out_w) Edge(x++);
      return;
    }
    PiecesByTaps();
  }

  void Edge(int32_t x) {
    EdgeTaps(x);
    Compute(x, 1);
  }

  // A row by plain columns.
  void PiecesByTaps() {
    for (int32_t x = 0; x < s_.out_w; x += plan_.strip) {
      const int32_t outputs = s_.out_w - x < plan_.strip ? s_.out_w - x : plan_.strip;
      MakePlain(x * s_.stride_w - s_.pad_left, Columns(outputs));
      Taps(0, kDwArmBlock, 0);
      Compute(x, outputs);
    }
  }

  // Tap pointers: byte `channel` of column `column` of rows_, columns `pixel` bytes apart.
  void Taps(int32_t channel, size_t pixel, int32_t column) {
    tile_.step = static_cast<size_t>(s_.stride_w) * pixel;
    const int8_t** tap = taps_;
    for (int32_t set = 0; set < tile_.weight_sets; ++set) {
      for (int32_t ky = 0; ky < s_.kernel_h; ++ky) {
        const int8_t* const row = Source(ky, pixel) + channel;
        for (int32_t kx = 0; kx < s_.kernel_w; ++kx) {
          *tap++ = row + static_cast<size_t>(column + kx * s_.dilation_w) * pixel;
        }
      }
    }
    if (order_ != nullptr) ReorderTaps();
  }

  // The same for one output, which may lie at the border: taps outside read zero points.
  void EdgeTaps(int32_t x) {
    std::memset(plain_, s_.input_zero_point, kDwArmBlock);
    const int8_t** tap = taps_;
    const size_t pixel = static_cast<size_t>(s_.in_c);
    for (int32_t set = 0; set < tile_.weight_sets; ++set) {
      for (int32_t ky = 0; ky < s_.kernel_h; ++ky) {
        int32_t ix = x * s_.stride_w - s_.pad_left;
        for (int32_t kx = 0; kx < s_.kernel_w; ++kx, ix += s_.dilation_w) {
          const bool inside = rows_[ky] != nullptr && ix >= 0 && ix < s_.in_w;
          *tap++ = inside ? rows_[ky] + static_cast<size_t>(ix) * pixel + begin_ : plain_;
        }
      }
    }
    if (order_ != nullptr) ReorderTaps();
  }

  // The pack may come from a file.
  void ReorderTaps() {
    const int8_t* plain[9];
    std::memcpy(plain, taps_, sizeof plain);
    for (int32_t i = 0; i < 9; ++i) taps_[i] = plain[order_[i] < 9 ? order_[i] : 8];
  }

  // Row ky as the taps see it: of the input, or of plain columns.
  const int8_t* Source(int32_t ky, size_t pixel) const {
    return plain_columns_ > 0 ? plain_ + static_cast<size_t>(ky * plain_columns_) * pixel
                              : rows_[ky];
  }

  void RowByDot() {
    DwArmInterleave a;
    a.zero_point = static_cast<int8_t>(s_.input_zero_point);
    for (int32_t x = 0; x < s_.out_w; x += plan_.strip) {
      const int32_t outputs = s_.out_w - x < plan_.strip ? s_.out_w - x : plan_.strip;
      const int32_t first = x * s_.stride_w - s_.pad_left;
      a.columns = Columns(outputs);
      a.begin = 0;
      a.end = a.columns;
      if (Whole()) {
        a.begin = first < 0 ? -first : 0;
        a.end = s_.in_w - first < a.columns ? s_.in_w - first : a.columns;
        if (a.begin > a.columns) a.begin = a.columns;
        if (a.end < a.begin) a.end = a.begin;
        a.pixel = static_cast<size_t>(s_.in_c);
      } else {
        MakePlain(first, a.columns);
        a.pixel = kDwArmBlock;
      }
      for (int32_t g = 0; g < plan_.groups; ++g) {
        for (int32_t i = 0; i < 4; ++i) {
          const int32_t row = 4 * g + i;
          a.row[i] = nullptr;
          if (row >= plan_.window_rows || rows_[row] == nullptr || a.begin == a.end) continue;
          if (Whole()) {
            a.row[i] = rows_[row] + begin_ + static_cast<size_t>(first + a.begin) * a.pixel;
          } else {
            a.row[i] = plain_ + static_cast<size_t>(row * plain_columns_) * kDwArmBlock;
          }
        }
        a.staged = staged_ + static_cast<size_t>(g) * static_cast<size_t>(a.columns) * 64;
        interleave_(a);
      }
      tile_.group_columns = a.columns;
      Compute(x, outputs);
    }
  }

  void Compute(int32_t x, int32_t outputs) {
    tile_.outputs = outputs;
    const bool whole = channels_ == kDwArmBlock;
    const size_t out_c = static_cast<size_t>(s_.out_c());
    tile_.out_step = whole ? out_c : kDwArmBlock;
    for (int32_t i = 0; i < tile_.rows; ++i) {
      tile_.out[i] = whole ? out_[i] + static_cast<size_t>(x) * out_c : Part(i);
    }
    compute_(tile_);
    plain_columns_ = 0;
    if (whole) return;
    for (int32_t i = 0; i < tile_.rows; ++i) {
      int8_t* to = out_[i] + static_cast<size_t>(x) * out_c;
      const int8_t* from = Part(i);
      for (int32_t j = 0; j < outputs; ++j, to += out_c, from += kDwArmBlock) {
        std::memcpy(to, from, static_cast<size_t>(channels_));
      }
    }
  }

  int8_t* Part(int32_t row) const {
    return part_ + static_cast<size_t>(row * plan_.strip) * kDwArmBlock;
  }

  // Copies columns [first, first + columns) of all rows of the window, 16 bytes each.
  void MakePlain(int32_t first, int32_t columns) {
    plain_columns_ = columns;
    for (int32_t i = 0; i < plan_.window_rows; ++i) {
      int8_t* to = plain_ + static_cast<size_t>(i * columns) * kDwArmBlock;
      if (rows_[i] == nullptr) {
        std::memset(to, s_.input_zero_point, static_cast<size_t>(columns) * kDwArmBlock);
        continue;
      }
      for (int32_t x = first; x < first + columns; ++x, to += kDwArmBlock) {
        if (x < 0 || x >= s_.in_w) {
          std::memset(to, s_.input_zero_point, kDwArmBlock);
          continue;
        }
        const int8_t* from = rows_[i] + static_cast<size_t>(x) * static_cast<size_t>(s_.in_c);
        if (Whole()) {
          std::memcpy(to, from + begin_, kDwArmBlock);
          continue;
        }
        std::memset(to, 0, kDwArmBlock);
        if (s_.depth_multiplier == 1) {
          std::memcpy(to, from + begin_, static_cast<size_t>(channels_));
        } else {
          for (int32_t lane = 0; lane < channels_; ++lane) to[lane] = from[channel_[lane]];
        }
      }
    }
  }

  const QS8DwConvRun& run_;
  const QS8DwConvShape& s_;
  const DwArmPlan plan_;
  DwArmInterleaveFn interleave_ = nullptr;
  DwArmTileFn compute_ = nullptr;
  DwArmTile tile_ = {};
  const int8_t** rows_;  // the window's, at channel 0; null outside the image
  const int8_t** taps_;
  int8_t* plain_;
  int8_t* part_;
  int8_t* staged_;
  int8_t* out_[2] = {};
  const uint8_t* order_ = nullptr;     // of the taps; null: as they lie
  int32_t channel_[kDwArmBlock] = {};  // of the input, of each lane
  int32_t begin_ = 0, channels_ = 0;   // the block's
  int32_t plain_columns_ = 0;          // of each plain row; 0: taps read the input
  bool inside_ = false;
};

}  // namespace

void DwArmRunNeon(const QS8DwConvRun& run, DwArmTileFn tile) {
  Runner(run, false).Run(nullptr, tile);
}

void DwArmRunDot(const QS8DwConvRun& run, DwArmInterleaveFn interleave, DwArmTileFn tile) {
  Runner(run, true).Run(interleave, tile);
}

}  // namespace octet
