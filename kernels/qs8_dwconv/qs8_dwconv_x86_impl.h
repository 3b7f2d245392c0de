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
  const int32_t pixels = kV / block.width;
  strip->plane = DwX86PlaneBytes(s, plan, block.width, (outputs + pixels - 1) / pixels);
  strip->jobs = 0;
  const int32_t last_column = (s.kernel_w - 1) * s.dilation_w;
  const int32_t basic = plan.taps / plan.weight_sets;
  size_t at = 0;
  for (int32_t g = 0; g < plan.groups; ++g) {
    const DwX86Group group = plan.group(s, g);
    for (int32_t phase = 0; phase < s.stride_w && phase <= last_column; ++phase) {
      if (!DwX86PhaseUsed(s, group, phase)) continue;
      int32_t tap = group.first_tap;
      for (int32_t kx = 0; kx < s.kernel_w; kx += group.columns, ++tap) {
        const int32_t column = kx * s.dilation_w;
        if (column % s.stride_w != phase) continue;
        for (int32_t set = 0; set < plan.weight_sets; ++set) {
          strip->offsets[set * basic + tap] =
              static_cast<int32_t>(at) + column / s.stride_w * block.width;
        }
      }
      StageJob* const job = strip->job + strip->jobs++;
      job->row = group.row;
      job->rows = group.rows;
      job->columns = group.columns;
      job->first_column = x * s.stride_w - s.pad_left + phase;
      job->staged_columns = outputs + (last_column - phase) / s.stride_w;
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
  const int32_t pixels = kV / block.width;
  TileArgs tile;
  tile.staged = context.staged;
  tile.plane = strip.plane;
  tile.offsets = strip.offsets;
  tile.pack = pack;
  tile.taps = context.plan->taps;
  tile.vectors = (strip.outputs + pixels - 1) / pixels;
  tile.out[0] = out0 + first;
  tile.out[1] = out1 != nullptr ? out1 + first : nullptr;
  tile.out_step = pixels * out_c;
  tile.zero_point = s.output_zero_point;
  tile.act_min = s.act_min;
  tile.act_max = s.act_max;
  tile.whole = block.channels == kV;
  tile.width = block.width;
  tile.channels = block.channels;
  tile.pixels = strip.outputs;
  tile.pixel_step = out_c;
  tiles(tile);
}

void RunDirect(const Context& context, const DwX86Block& block, const uint8_t* pack,
               DirectFn direct, int8_t* out0, int8_t* out1) {
  const QS8DwConvShape& s = *context.run->shape;
  DirectArgs a;
  for (int k = 0; k < 4; ++k) {
    const int8_t* const row = k < context.plan->window_rows ? context.rows[k] : nullptr;
    a.rows[k] = row != nullptr ? row + block.begin : nullptr;
  }
  a.zeros = context.zeros;
  a.pixel = a.out_pixel = static_cast<size_t>(s.in_c);
  a.first_column = -s.pad_left;
  a.in_w = s.in_w;
  a.out_w = s.out_w;
  a.pack = pack;
  a.out[0] = out0 + block.begin;
  a.out[1] = out1 != nullptr ? out1 + block.begin : nullptr;
  a.zero_point = s.output_zero_point;
  a.act_min = s.act_min;
  a.act_max = s.act_max;
  direct(a);
}

void RunDwConv(const QS8DwConvRun& run, DwX86Isa isa) {
  const QS8DwConvShape& s = *run.shape;
  const DwX86Plan plan = MakeDwX86Plan(s, isa);
  const uint8_t* const pack = static_cast<const uint8_t*>(run.pack);
  // The scratch: row pointers, jobs, offsets, zero points, staging (ScratchBytes).
  uint8_t* scratch = static_cast<uint8_t*>(run.scratch);
  Context context;
  context.run = &run;
  context.plan = &plan;
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
  const int32_t blocks = DwX86BlockCount(s, isa.vector);
  // Blocks of the same width lie side by side: full ones, then at most two narrower.
  for (int32_t first = channel_begin / kV, next; first < blocks; first = next) {
    const DwX86Block kind = DwX86BlockAt(s, isa.vector, first);
    if (kind.begin >= channel_end) break;
    next = kind.channels == kV ? s.in_c * s.depth_multiplier / kV : first + 1;
    const int32_t last = kind.channels == kV && channel_end / kV < next ? channel_end / kV : next;
    const int32_t pixels = kV / kind.width;
    const bool direct = plan.direct && kind.channels == kV;
    const int32_t most = direct ? s.out_w : plan.strip * pixels;
    for (int32_t x = 0; x < s.out_w; x += most) {
      const int32_t left = s.out_w - x;
      Strip strip;
      strip.job = jobs;
      strip.offsets = offsets;
      if (!direct) MakeStrip(s, plan, kind, x, left < most ? left : most, &strip);
      const auto rows_of = [&](int32_t image, int32_t y, int rows) {
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
          const uint8_t* const block_pack = pack + plan.pack_header + plan.pack_block * i;
          const Finish finish = FinishOf(s, pack[i]);
          if (direct) {
            RunDirect(context, block, block_pack, PickDirect(s, plan, rows, finish), out0, out1);
          } else {
            RunBlock(context, strip, block, block_pack,
                     PickTiles(s, plan, block.width, rows, finish), out0, out1);
          }
        }
      };
      for (int32_t row = run.row_begin; row < run.row_end;) {
        const int32_t image = row / s.out_h, y = row % s.out_h;
        int32_t end = y + (run.row_end - row);
        if (end > s.out_h) end = s.out_h;
        row += end - y;
        if (plan.pair == 1) {
          for (int32_t i = y; i < end; ++i) rows_of(image, i, 1);
          continue;
        }
        const int32_t d = s.dilation_h;
        for (int32_t from = y; from < end; from += 2 * d) {
          for (int32_t i = from; i < from + d && i < end; ++i) {
            rows_of(image, i, i + d < end ? 2 : 1);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace octet
