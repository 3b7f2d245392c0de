// The x86 kernels of qs8_dwconv, written once over a class `Ops` of vector operations that the
// including file defines. Everything here has internal linkage, since each including file is
// compiled with flags of its own. qs8_dwconv_x86.h explains staging, groups and lanes.
#pragma once

#include <cstring>

#include "kernels/qs8_dwconv/qs8_dwconv_x86_direct.h"
#include "kernels/qs8_dwconv/qs8_dwconv_x86_stage.h"
#include "kernels/qs8_dwconv/qs8_dwconv_x86_tiles.h"

namespace octet {
namespace {

const int8_t* InputRow(const Rows<const int8_t>& rows, int32_t y) {
  return rows.base + static_cast<size_t>(rows.ring > 0 ? y % rows.ring : y) * rows.stride;
}
int8_t* OutputRow(const Rows<int8_t>& rows, int32_t y) {
  return rows.base + static_cast<size_t>(rows.ring > 0 ? y % rows.ring : y) * rows.stride;
}

// Everything that depends on the strip of columns and on the width of blocks, not on rows and
// channels.
struct Strip {
  int32_t x, outputs;
  int32_t jobs;
  StageJob* job;
  int32_t* offsets;
  size_t plane;
};

void MakeStrip(const QS8DwConvShape& s, const DwX86Plan& plan, const DwX86Block& block, int32_t x,
               int32_t outputs, Strip* strip) {
  strip->x = x;
  strip->outputs = outputs;
  const int32_t pixels = DwX86Divide(kV, block.width);
  strip->plane = DwX86PlaneBytes(s, plan, block.width, DwX86Divide(outputs + pixels - 1, pixels));
  strip->jobs = 0;
  const int32_t last_column = (s.kernel_w - 1) * s.dilation_w;
  const int32_t basic = DwX86Divide(plan.taps, plan.weight_sets);
  size_t at = 0;
  for (int32_t g = 0; g < plan.groups; ++g) {
    const DwX86Group group = plan.group(s, g);
    for (int32_t phase = 0; phase < s.stride_w && phase <= last_column; ++phase) {
      if (!DwX86PhaseUsed(s, group, phase)) continue;
      int32_t tap = group.first_tap;
      for (int32_t kx = 0; kx < s.kernel_w; kx += group.columns, ++tap) {
        const int32_t column = kx * s.dilation_w;
        const int32_t staged = DwX86Divide(column, s.stride_w);
        if (column != staged * s.stride_w + phase) continue;
        for (int32_t set = 0; set < plan.weight_sets; ++set) {
          strip->offsets[set * basic + tap] = static_cast<int32_t>(at) + staged * block.width;
        }
      }
      StageJob* const job = strip->job + strip->jobs++;
      job->row = group.row;
      job->rows = group.rows;
      job->columns = group.columns;
      job->first_column = x * s.stride_w - s.pad_left + phase;
      job->staged_columns = outputs + DwX86Divide(last_column - phase, s.stride_w);
      job->offset = at;
      FindInside(s, block, job);
      at += 4 * kParts * strip->plane;
    }
  }
}

Finish FinishOf(const QS8DwConvShape& s, uint8_t epilogue) {
  const bool one_line = s.act_min >= s.output_zero_point;
  const bool clamp = s.act_min > -128 || s.act_max < 127;
  if (epilogue == static_cast<uint8_t>(DwEpilogue::kInteger)) return Finish::kInteger;
  const bool patched = epilogue == static_cast<uint8_t>(DwEpilogue::kFloatPatched) || clamp;
  if (one_line) return patched ? Finish::kReluPatched : Finish::kRelu;
  return patched ? Finish::kSignedPatched : Finish::kSigned;
}

struct Context {
  const QS8DwConvRun* run;
  const DwX86Plan* plan;
  const uint8_t* pack;
  const int8_t** rows;  // the window's, at channel 0; null outside the image
  const int8_t* zeros;
  uint8_t* staged;
};

// One block of channels of a strip of one or two output rows.
void RunBlock(const Context& context, const Strip& strip, const DwX86Block& block,
              const uint8_t* pack, TilesFn tiles, int8_t* out0, int8_t* out1) {
  const QS8DwConvShape& s = *context.run->shape;
  StageArgs stage;
  stage.shape = &s;
  stage.zeros = context.zeros;
  stage.width = block.width;
  stage.channels = block.channels;
  stage.begin = block.begin;
  stage.plane = strip.plane;
  const int32_t channel = s.depth_multiplier == 1 ? block.begin : 0;
  for (int32_t i = 0; i < strip.jobs; ++i) {
    const StageJob& job = strip.job[i];
    stage.job = &job;
    for (int k = 0; k < 4; ++k) {
      const int row = job.columns == 1 ? k : (job.columns == 2 ? k & 1 : 0);
      const int column = job.columns == 1 ? 0 : (job.columns == 2 ? k >> 1 : k);
      const int8_t* const from = row < job.rows ? context.rows[job.row + row] : nullptr;
      stage.sources[k] = from != nullptr ? from + channel : nullptr;
      stage.shifts[k] = column * s.dilation_w;
    }
    stage.staged = context.staged + job.offset;
    Stage(stage);
  }

  const size_t out_c = static_cast<size_t>(s.in_c) * s.depth_multiplier;
  const size_t first = strip.x * out_c + block.begin;
  const int32_t pixels = DwX86Divide(kV, block.width);
  TileArgs tile;
  tile.staged = context.staged;
  tile.plane = strip.plane;
  tile.offsets = strip.offsets;
  tile.pack = pack;
  tile.taps = context.plan->taps;
  tile.vectors = DwX86Divide(strip.outputs + pixels - 1, pixels);
  tile.out[0] = out0 + first;
  tile.out[1] = out1 != nullptr ? out1 + first : nullptr;
  tile.out_step = pixels * out_c;
  tile.zero_point = s.output_zero_point;
  tile.act_min = s.act_min;
  tile.act_max = s.act_max;
  // Pixels one behind the other are whole vectors too, if no vector is left half empty.
  tile.whole = block.channels == kV || (out_c == static_cast<size_t>(block.width) &&
                                        tile.vectors * pixels == strip.outputs);
  tile.width = block.width;
  tile.channels = block.channels;
  tile.pixels = strip.outputs;
  tile.pixel_step = out_c;
  tiles(tile);
}

// Input and output rows of row `y` of an image, and where `apart` > 0 of row y + apart, at the
// block's first channel. What lies outside stays null.
void FindRows(const Context& context, const DwX86Block& block, int32_t image, int32_t y,
              int32_t apart, const int8_t* (&in)[4], int8_t* (&out)[2]) {
  const QS8DwConvRun& run = *context.run;
  const QS8DwConvShape& s = *run.shape;
  const int32_t window = apart > 0 ? context.plan->window_rows : s.kernel_h;
  const int32_t step = s.dilation_h, ring = run.input.ring;
  int32_t iy = y * s.stride_h - s.pad_top, k = 0;
  for (; iy < 0; iy += step) ++k;
  int32_t at = image * s.in_h + iy;
  if (ring > 0) at %= ring;  // only once: that takes longer than all the rest
  for (; k < window && iy < s.in_h; ++k, iy += step, at += step) {
    while (ring > 0 && at >= ring) at -= ring;
    in[k] = run.input.base + static_cast<size_t>(at) * run.input.stride + block.begin;
  }
  out[0] = OutputRow(run.output, image * s.out_h + y) + block.begin;
  if (apart > 0) out[1] = OutputRow(run.output, image * s.out_h + y + apart) + block.begin;
}

DirectArgs DirectArgsOf(const Context& context, const DwX86Block& block) {
  const QS8DwConvShape& s = *context.run->shape;
  DirectArgs a = {};
  a.zeros = context.zeros;
  a.pixel = static_cast<size_t>(s.in_c) * s.dilation_w;
  a.channels = block.channels;
  a.zero_point = s.output_zero_point;
  a.act_min = s.act_min;
  a.act_max = s.act_max;
  return a;
}

// Full blocks [first, last) in row y and, for two rows, y + dilation_h, without staging.
template <class Pick>
OCTET_INLINE void RunDirect(const Context& context, const DwX86Block& block, int32_t first,
                            int32_t last, int32_t image, int32_t y, int rows, const Pick& pick) {
  const QS8DwConvShape& s = *context.run->shape;
  const DwX86Plan& plan = *context.plan;
  const int8_t* in[4] = {};
  int8_t* out[2] = {};
  FindRows(context, block, image, y, rows == 2 ? s.dilation_h : 0, in, out);
  DirectArgs a = DirectArgsOf(context, block);
  // Dilation: outputs that far apart share columns, the ones between them are further sets.
  const int32_t step = s.dilation_w;
  const auto steps = [step](int32_t n) { return DwX86Divide(n + step - 1, step); };
  for (int32_t x = 0; x < step && x < s.out_w; ++x) {
    a.before = x < s.pad_left ? steps(s.pad_left - x) : 0;
    a.out_w = steps(s.out_w - x);
    const int32_t column = x - s.pad_left + a.before * step;  // the first one inside
    a.inside = column < s.in_w ? steps(s.in_w - column) : 0;
    size_t from = a.inside > 0 ? static_cast<size_t>(column) * s.in_c : 0;
    size_t to = static_cast<size_t>(x) * s.in_c;
    for (int32_t i = first; i < last; ++i, from += kV, to += kV) {
      for (int k = 0; k < 4; ++k) a.rows[k] = in[k] != nullptr ? in[k] + from : nullptr;
      for (int k = 0; k < 2; ++k) a.out[k] = out[k] != nullptr ? out[k] + to : nullptr;
      a.pack = context.pack + plan.pack_header + plan.pack_block * i;
      pick(i)(a);
    }
  }
}

// Rows [y, end) of one block that isn't whole, without staging: as many pieces as fill a vector,
// one below the other and, where there are fewer rows than that, side by side.
void RunPieces(const Context& context, const DwX86Block& block, const uint8_t* pack, int32_t image,
               int32_t y, int32_t end, DirectFn together, DirectFn run, DirectFn single) {
  const QS8DwConvShape& s = *context.run->shape;
  int32_t pair = context.plan->pair;
  const int pieces = DwX86Divide(kV, block.width);
  DirectArgs a = DirectArgsOf(context, block);
  a.inside = s.in_w;
  a.pack = pack;
  const int32_t over = block.width - (s.in_c - block.begin);
  const int32_t plain = over > 0 ? s.in_w - (over + s.in_c - 1) / s.in_c : s.in_w;
  while (y < end) {
    if (end - y == 1 && single != nullptr) {
      run = single;
      together = nullptr;
      pair = 1;
    }
    int below = pieces;
    while (below > 1 && (below - 1) * pair >= end - y) below /= 2;
    const int beside = DwX86Divide(pieces, below);
    a.out_w = DwX86Divide(s.out_w + beside - 1, beside);
    for (int p = 0, row = y; p < pieces; row += pair) {
      const int8_t* in[4] = {};
      int8_t* out[2] = {};
      if (row < end) {
        FindRows(context, block, image, row, pair == 2 && row + 1 < end ? 1 : 0, in, out);
      }
      OCTET_NO_UNROLL for (int32_t b = 0, x = 0; b < beside; ++b, ++p, x += a.out_w) {
        __asm__("" : "+r"(x));  // else gcc makes vectors of the few there are: 40 KB of code
        // The last stretches begin within the ones before them: same bytes again.
        const int32_t first = x < s.out_w - a.out_w ? x : s.out_w - a.out_w;
        a.start[p] = first * s.stride_w - s.pad_left;
        const int32_t column = a.start[p] > 0 && a.start[p] < s.in_w ? a.start[p] : 0;
        for (int k = 0; k < 4; ++k) {
          a.rows[k * pieces + p] = in[k] != nullptr ? in[k] + column * a.pixel : nullptr;
        }
        for (int k = 0; k < 2; ++k) {
          a.out[k * pieces + p] = out[k] != nullptr ? out[k] + first * a.pixel : nullptr;
        }
      }
    }
    if (beside == 1 && together != nullptr) {
      a.before = s.pad_left;
      a.plain = plain > 0 ? plain : 0;
      together(a);
      y += below * pair;
      continue;
    }
    a.together = -a.start[0] > 0 ? -a.start[0] : 0;  // the others begin further right
    const int32_t furthest = a.start[pieces - 1];
    a.apart = s.in_w - furthest > a.together ? s.in_w - furthest : a.together;
    a.plain = plain - furthest > a.together ? plain - furthest : a.together;
    run(a);
    y += below * pair;
  }
}

// Calls rows(image, y, end) for the part of each image that lies in the band.
template <class F>
OCTET_INLINE void ForImages(const QS8DwConvRun& run, const F& rows) {
  const int32_t out_h = run.shape->out_h;
  for (int32_t row = run.row_begin; row < run.row_end;) {
    const int32_t image = row < out_h ? 0 : row / out_h, y = row - image * out_h;
    const int32_t end = y + (run.row_end - row) < out_h ? y + (run.row_end - row) : out_h;
    row += end - y;
    rows(image, y, end);
  }
}

// Calls row(y, how many) for single rows, or pairs of rows a dilation apart, of [y, end).
template <class F>
OCTET_INLINE void ForPairs(const QS8DwConvShape& s, const DwX86Plan& plan, int32_t y, int32_t end,
                           const F& row) {
  if (plan.pair == 1) {
    for (; y < end; ++y) row(y, 1);
    return;
  }
  const int32_t d = s.dilation_h;
  for (; y < end; y += 2 * d) {
    for (int32_t i = y; i < y + d && i < end; ++i) row(i, i + d < end ? 2 : 1);
  }
}

void RunPlanned(const QS8DwConvRun& run, DwX86Isa isa, const DwX86Plan& plan) {
  const QS8DwConvShape& s = *run.shape;
  const uint8_t* const pack = static_cast<const uint8_t*>(run.pack);
  const auto pack_of = [&](int32_t block) {
    return pack + plan.pack_header + plan.pack_block * block;
  };
  // The scratch: row pointers, jobs, offsets, zero points, staging (ScratchBytes).
  uint8_t* scratch = static_cast<uint8_t*>(run.scratch);
  Context context;
  context.run = &run;
  context.plan = &plan;
  context.pack = pack;
  context.rows = reinterpret_cast<const int8_t**>(scratch);
  StageJob* const jobs = reinterpret_cast<StageJob*>(scratch + plan.rows_bytes);
  int32_t* const offsets = reinterpret_cast<int32_t*>(scratch + plan.rows_bytes + plan.jobs_bytes);
  int8_t* const zeros =
      reinterpret_cast<int8_t*>(scratch + plan.rows_bytes + plan.jobs_bytes + plan.offsets_bytes);
  std::memset(zeros, s.input_zero_point, 64);
  context.zeros = zeros;
  context.staged = reinterpret_cast<uint8_t*>(zeros) + 64;

  const int32_t channel_begin = run.channel_begin * s.depth_multiplier;
  const int32_t channel_end = run.channel_end * s.depth_multiplier;
  // Blocks of the same width lie side by side: full ones, then at most two narrower.
  for (int32_t first = channel_begin / kV, next; first < plan.blocks; first = next) {
    const DwX86Block kind = DwX86BlockAt(s, isa.vector, first);
    if (kind.begin >= channel_end) break;
    const bool full = kind.channels == kV;
    next = full ? s.in_c * s.depth_multiplier / kV : first + 1;
    const int32_t last = full && channel_end / kV < next ? channel_end / kV : next;

    if (plan.direct && full) {
      ForImages(run, [&](int32_t image, int32_t begin, int32_t end) {
        ForPairs(s, plan, begin, end, [&](int32_t y, int rows) {
          RunDirect(context, kind, first, last, image, y, rows,
                    [&](int32_t i) { return PickWhole(s, plan, rows, FinishOf(s, pack[i])); });
        });
      });
      continue;
    }
    if (plan.pieces && !full) {
      const Finish finish = FinishOf(s, pack[first]);
      const DirectFn together = PickTogether(s, plan, kind.width, finish);
      const DirectFn pieces = PickPieces(s, plan, kind.width, finish);
      const DirectFn single = PickSinglePieces(s, plan, kind.width, finish);
      ForImages(run, [&](int32_t image, int32_t begin, int32_t end) {
        RunPieces(context, kind, pack_of(first), image, begin, end, together, pieces, single);
      });
      continue;
    }

    const int32_t pixels = DwX86Divide(kV, kind.width);
    for (int32_t x = 0; x < s.out_w; x += plan.strip * pixels) {
      const int32_t left = s.out_w - x;
      Strip strip;
      strip.job = jobs;
      strip.offsets = offsets;
      MakeStrip(s, plan, kind, x, left < plan.strip * pixels ? left : plan.strip * pixels, &strip);
      ForImages(run, [&](int32_t image, int32_t begin, int32_t end) {
        ForPairs(s, plan, begin, end, [&](int32_t y, int rows) {
          const int32_t top = y * s.stride_h - s.pad_top;
          for (int32_t i = 0; i < plan.window_rows; ++i) {
            const int32_t iy = top + i * s.dilation_h;
            // A single row of a pair needs no row of the other's.
            const bool inside = iy >= 0 && iy < s.in_h && (rows == plan.pair || i < s.kernel_h);
            context.rows[i] = inside ? InputRow(run.input, image * s.in_h + iy) : nullptr;
          }
          int8_t* const out0 = OutputRow(run.output, image * s.out_h + y);
          int8_t* const out1 =
              rows == 2 ? OutputRow(run.output, image * s.out_h + y + s.dilation_h) : nullptr;
          DwX86Block block = kind;
          for (int32_t i = first; i < last; ++i, block.begin += kV) {
            RunBlock(context, strip, block, pack_of(i),
                     PickTiles(s, plan, block.width, rows, FinishOf(s, pack[i])), out0, out1);
          }
        });
      });
    }
  }
}

// Rows [y, end) of a column's image as a part of a row, where they lie one behind the other.
bool RunAsRow(const QS8DwConvRun& run, DwX86Isa isa, const QS8DwConvShape& whole,
              const DwX86Plan& plan, int32_t image, int32_t y, int32_t end) {
  const QS8DwConvShape& s = *run.shape;
  const int32_t top = y * s.stride_h - s.pad_top;
  const int32_t bottom = (end - 1) * s.stride_h - s.pad_top + (s.kernel_h - 1) * s.dilation_h + 1;
  const int32_t first = top > 0 ? top : 0, last = bottom < s.in_h ? bottom : s.in_h;
  const int32_t in_row = image * s.in_h + first, out_row = image * s.out_h + y;
  if (first >= last || run.input.stride != static_cast<size_t>(s.in_c) ||
      run.output.stride != static_cast<size_t>(s.out_c()) ||
      run.input.contiguous(in_row, last - first) < last - first ||
      run.output.contiguous(out_row, end - y) < end - y) {
    return false;
  }
  QS8DwConvShape row = whole;
  row.in_w = last - first;
  row.out_w = end - y;
  row.pad_left = first - top;
  QS8DwConvRun as_row = run;
  as_row.shape = &row;
  as_row.input = {InputRow(run.input, in_row), 0, 0};
  as_row.output = {OutputRow(run.output, out_row), 0, 0};
  as_row.row_begin = 0;
  as_row.row_end = 1;
  RunPlanned(as_row, isa, plan);
  return true;
}

void RunDwConv(const QS8DwConvRun& run, DwX86Isa isa) {
  const QS8DwConvShape& s = *run.shape;
  if (!DwX86RunsAsRow(s) || run.row_end - run.row_begin < 2) {
    return RunPlanned(run, isa, MakeDwX86Plan(s, isa));
  }
  // Planned for all of the row, whatever part of it runs: scratch was.
  const QS8DwConvShape row = DwX86RowOfColumn(s);
  const DwX86Plan row_plan = MakeDwX86Plan(row, isa);
  ForImages(run, [&](int32_t image, int32_t y, int32_t end) {
    if (RunAsRow(run, isa, row, row_plan, image, y, end)) return;
    QS8DwConvRun rows = run;
    rows.row_begin = image * s.out_h + y;
    rows.row_end = image * s.out_h + end;
    RunPlanned(rows, isa, MakeDwX86Plan(s, isa));
  });
}

}  // namespace
}  // namespace octet
