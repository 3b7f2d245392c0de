// Planning and packing for the x86 kernels; portable code, compiled for the baseline.
#include <cstring>

#include "kernels/common/float_requant.h"
#include "kernels/qs8_dwconv/qs8_dwconv_kernels.h"
#include "kernels/qs8_dwconv/qs8_dwconv_x86.h"

#if OCTET_ARCH_X86

namespace octet {
namespace {

constexpr size_t kAlign = 64;
// Staging more than this at once would push rows and weights out of the first-level cache.
constexpr size_t kStageBytes = 16 * 1024;
constexpr size_t kSmallStageBytes = 2048;  // in plans that save RAM

size_t RoundUp(size_t n, size_t to) { return (n + to - 1) / to * to; }

int32_t LastColumn(const QS8DwConvShape& s) { return (s.kernel_w - 1) * s.dilation_w; }

// Widths of the blocks behind the last full one: the fewest lanes that hold the rest.
int32_t Tail(int32_t rest, int32_t vector, int32_t widths[2]) {
  const int32_t narrow = 16;
  if (rest == 0) return 0;
  if (rest <= narrow) {
    widths[0] = narrow;
    return 1;
  }
  if (vector == 64 && rest <= 32) {
    widths[0] = 32;
    return 1;
  }
  if (vector == 64 && rest <= 48) {
    widths[0] = 32;
    widths[1] = narrow;
    return 2;
  }
  widths[0] = vector;
  return 1;
}

size_t StageBytes(const QS8DwConvShape& s, const DwX86Plan& plan, int32_t width, int32_t vectors) {
  return static_cast<size_t>(plan.slots) * 4 * plan.parts *
         DwX86PlaneBytes(s, plan, width, vectors);
}

int32_t WidestBlock(const QS8DwConvShape& s, int32_t vector) {
  return DwX86BlockAt(s, vector, 0).width;
}

// Vectors that a whole output row takes in blocks of `width`.
int32_t RowVectors(const QS8DwConvShape& s, int32_t vector, int32_t width) {
  const int32_t pixels = DwX86Divide(vector, width);
  return DwX86Divide(s.out_w - 1, pixels) + 1;
}

}  // namespace

DwX86Group DwX86Plan::group(const QS8DwConvShape& s, int32_t g) const {
  DwX86Group group = {};
  for (int32_t i = 0; i <= g; ++i) {
    if (i > 0) group.first_tap += (s.kernel_w + group.columns - 1) / group.columns;
    group.row = 4 * i;
    const int32_t left = window_rows - group.row;
    group.rows = left < 4 ? left : 4;
    group.columns = left == 1 ? 4 : (left == 2 ? 2 : 1);
  }
  return group;
}

int32_t DwX86BlockCount(const QS8DwConvShape& s, int32_t vector) {
  int32_t widths[2] = {vector, vector};
  const int32_t full = DwX86Divide(s.out_c(), vector);
  return full + Tail(s.out_c() - full * vector, vector, widths);
}

DwX86Block DwX86BlockAt(const QS8DwConvShape& s, int32_t vector, int32_t index) {
  const int32_t full = DwX86Divide(s.out_c(), vector);
  if (index < full) return {index * vector, vector, vector};
  int32_t widths[2] = {vector, vector};
  Tail(s.out_c() - full * vector, vector, widths);
  int32_t begin = full * vector;
  if (index > full) begin += widths[0];
  const int32_t width = widths[index - full];
  const int32_t left = s.out_c() - begin;
  return {begin, left < width ? left : width, width};
}

int32_t DwX86StagedColumns(const QS8DwConvShape& s, int32_t outputs) {
  return outputs + DwX86Divide(LastColumn(s), s.stride_w);
}

size_t DwX86PlaneBytes(const QS8DwConvShape& s, const DwX86Plan& plan, int32_t width,
                       int32_t vectors) {
  const int32_t columns = DwX86StagedColumns(s, vectors * DwX86Divide(plan.vector, width));
  return RoundUp(static_cast<size_t>(columns) * width, kAlign);
}

bool DwX86PhaseUsed(const QS8DwConvShape& s, const DwX86Group& group, int32_t phase) {
  if (s.stride_w == 1 || group.columns * s.dilation_w == 1) return phase < s.kernel_w;
  for (int32_t kx = 0; kx < s.kernel_w; kx += group.columns) {
    if (kx * s.dilation_w % s.stride_w == phase) return true;
  }
  return false;
}

int32_t DwX86PhasesUsed(const QS8DwConvShape& s, const DwX86Group& group) {
  int32_t used = 0;
  for (int32_t phase = 0; phase < s.stride_w && phase <= LastColumn(s); ++phase) {
    used += DwX86PhaseUsed(s, group, phase) ? 1 : 0;
  }
  return used;
}

bool DwX86IsColumn(const QS8DwConvShape& s) {
  return s.in_w == 1 && s.out_w == 1 && s.kernel_w == 1 && s.pad_left == 0 && s.kernel_h > 1 &&
         s.in_c > 1;
}

bool DwX86RunsAsRow(const QS8DwConvShape& s) {
  return DwX86IsColumn(s) && s.out_h > 1 && s.run_rows == 0;
}

QS8DwConvShape DwX86RowOfColumn(const QS8DwConvShape& s) {
  QS8DwConvShape row = s;
  row.batch = row.in_h = row.out_h = row.kernel_h = row.stride_h = row.dilation_h = 1;
  row.in_w = s.in_h;
  row.out_w = s.out_h;
  row.kernel_w = s.kernel_h;
  row.stride_w = s.stride_h;
  row.dilation_w = s.dilation_h;
  row.pad_left = s.pad_top;
  row.pad_top = 0;
  return row;
}

DwX86Plan MakeDwX86Plan(const QS8DwConvShape& s, DwX86Isa isa) {
  DwX86Plan plan = {};
  plan.vector = isa.vector;
  plan.parts = isa.dot ? 1 : 2;
  // w - zp lies in [-255, 255]; 16-bit weights hold that, bytes may take two or three.
  plan.weight_sets =
      !isa.dot || s.weight_zero_point == 0 ? 1 : (s.weight_zero_point > -128 ? 2 : 3);
  const bool pairs = s.stride_h == 1 && s.kernel_h > 1 && !DwX86IsColumn(s);
  plan.pair = pairs ? 2 : 1;
  plan.window_rows = s.kernel_h + plan.pair - 1;
  plan.groups = (plan.window_rows + 3) / 4;
  plan.direct = s.kernel_h == 3 && s.kernel_w == 3 && s.stride_h == s.stride_w && s.stride_w <= 2 &&
                (s.dilation_w == 1 || s.stride_w == 1) && s.depth_multiplier == 1 &&
                plan.weight_sets <= 2;
  // Of two weight sets only what has one line of requantisation has a kernel for pieces.
  plan.pieces = plan.direct && s.dilation_h == 1 && s.dilation_w == 1 &&
                (plan.weight_sets == 1 || s.act_min >= s.output_zero_point);
  const int32_t full = DwX86Divide(s.out_c(), isa.vector);
  plan.staged = !plan.pieces && !(plan.direct && full * isa.vector == s.out_c());
  const DwX86Group last = plan.group(s, plan.groups - 1);
  plan.taps = (last.first_tap + DwX86Divide(s.kernel_w + last.columns - 1, last.columns)) *
              plan.weight_sets;

  if (plan.staged) {
    for (int32_t g = 0; g < plan.groups; ++g) plan.slots += DwX86PhasesUsed(s, plan.group(s, g));
    const int32_t widest = WidestBlock(s, isa.vector);
    const int32_t row = RowVectors(s, isa.vector, widest);
    plan.strip = row;
    const size_t most = s.run_rows > 0 ? kSmallStageBytes : kStageBytes;
    for (int32_t cuts = 2; plan.strip > 4; ++cuts) {
      if (StageBytes(s, plan, widest, plan.strip) <= most) break;
      plan.strip = (row + cuts - 1) / cuts;
      plan.strip = static_cast<int32_t>(RoundUp(plan.strip, 4));
    }
    plan.rows_bytes = RoundUp(static_cast<size_t>(plan.window_rows) * sizeof(void*), kAlign);
    plan.jobs_bytes = RoundUp(static_cast<size_t>(plan.slots) * kDwX86JobBytes, kAlign);
    plan.offsets_bytes = RoundUp(static_cast<size_t>(plan.taps) * sizeof(int32_t), kAlign);
  }

  plan.blocks = DwX86BlockCount(s, isa.vector);
  plan.pack_header = RoundUp(static_cast<size_t>(plan.blocks), kAlign);
  plan.pack_block =
      (kDwWeights + static_cast<size_t>(4) * plan.pair * plan.taps * plan.parts) * isa.vector;
  return plan;
}

namespace {

size_t PackBytes(const QS8DwConvShape& s, DwX86Isa isa) {
  const DwX86Plan plan = MakeDwX86Plan(s, isa);
  return plan.pack_header + plan.pack_block * plan.blocks;
}

// Row pointers, jobs, offsets of the taps, one vector of zero points, staging.
size_t PlannedScratchBytes(const QS8DwConvShape& s, DwX86Isa isa) {
  const DwX86Plan plan = MakeDwX86Plan(s, isa);
  size_t most = 0;
  int32_t done = 0;
  for (int32_t i = plan.blocks - 1; plan.staged && i >= 0;
       --i) {  // narrow blocks are the last ones
    const DwX86Block block = DwX86BlockAt(s, isa.vector, i);
    const int32_t width = block.width;
    if (width == done || (plan.direct && block.channels == isa.vector)) break;
    done = width;
    const int32_t row = RowVectors(s, isa.vector, width);
    const size_t bytes = StageBytes(s, plan, width, row < plan.strip ? row : plan.strip);
    if (bytes > most) most = bytes;
  }
  return plan.rows_bytes + plan.jobs_bytes + plan.offsets_bytes + kAlign + most;
}

size_t ScratchBytes(const QS8DwConvShape& s, DwX86Isa isa) {
  const size_t rows = PlannedScratchBytes(s, isa);
  if (!DwX86RunsAsRow(s)) return rows;
  const size_t as_row = PlannedScratchBytes(DwX86RowOfColumn(s), isa);
  return rows > as_row ? rows : as_row;
}

// Number `set` of the int8 numbers that sum up to the weight, zero point subtracted, of output row
// `pair` of the pair at byte `k` of tap `tap`. Where bytes can't hold that weight, the first set is
// the weight as the model has it, and the others, the same wherever there is a weight, make up the
// zero point.
int32_t TapWeight(const QS8DwConvShape& s, const int8_t* weights, int32_t sets,
                  const DwX86Group& group, int32_t tap, int32_t k, int32_t pair, int32_t channel,
                  int32_t set) {
  const int32_t row = group.columns == 1 ? k : (group.columns == 2 ? k & 1 : 0);
  const int32_t column = group.columns == 1 ? 0 : (group.columns == 2 ? k >> 1 : k);
  const int32_t ky = group.row + row - pair;
  const int32_t kx = (tap - group.first_tap) * group.columns + column;
  if (row >= group.rows || ky < 0 || ky >= s.kernel_h || kx >= s.kernel_w) return 0;
  const int32_t w = weights[(static_cast<size_t>(ky) * s.kernel_w + kx) * s.out_c() + channel];
  if (sets == 1) return w - s.weight_zero_point;
  if (set == 0) return w;
  const int32_t most = -s.weight_zero_point < 127 ? -s.weight_zero_point : 127;
  return set == 1 ? most : -s.weight_zero_point - most;
}

FloatRequant FitChannel(const QS8DwConvShape& s, const int8_t* weights, int32_t bias, Multiplier q,
                        int32_t channel, int64_t* sum) {
  FloatRequantTask task;
  task.q = q;
  task.output_zero_point = s.output_zero_point;
  task.act_min = s.act_min;
  task.act_max = s.act_max;
  task.acc_min = task.acc_max = bias;
  const int64_t low = -128 - s.input_zero_point, high = 127 - s.input_zero_point;
  const int32_t taps = s.kernel_h * s.kernel_w;
  *sum = 0;
  for (int32_t i = 0; i < taps; ++i) {
    // A tap in the border adds nothing: 0 lies in [low, high].
    const int64_t w = weights[static_cast<size_t>(i) * s.out_c() + channel] - s.weight_zero_point;
    task.acc_min += w < 0 ? w * high : w * low;
    task.acc_max += w < 0 ? w * low : w * high;
    *sum += w;
  }
  return FitFloatRequant(task);
}

void PackBlock(const QS8DwConvShape& s, const QS8DwConvConstants& k, const DwX86Plan& plan,
               const DwX86Block& block, uint8_t* kind, uint8_t* out) {
  const int32_t v = plan.vector;
  std::memset(out, 0, plan.pack_block);
  int32_t* words = reinterpret_cast<int32_t*>(out);
  float* floats = reinterpret_cast<float*>(out);
  const int32_t lanes = v / 4;  // int32 numbers in a vector
  // First pass: the worst channel decides for the block. Second: what that epilogue needs.
  DwEpilogue worst = DwEpilogue::kFloat;
  for (int32_t pass = 0; pass < 2; ++pass) {
    for (int32_t c = 0; c < block.channels; ++c) {
      const int32_t n = block.begin + c;
      const Multiplier q = k.scales.multiplier(n);
      const int32_t bias = k.bias != nullptr ? k.bias[n] : 0;
      // Byte c of a pixel: lane c / 16, vector (c % 16) / 4, number c % 4 there.
      const int32_t j = c % 16 / 4;
      for (int32_t byte = c; byte < v; byte += block.width) {
        const int32_t at = j * lanes + byte / 16 * 4 + c % 4;
        if (pass == 1 && worst == DwEpilogue::kInteger) {
          words[kDwWord0 * lanes + at] = q.m;
          words[kDwWord1 * lanes + at] = q.shift;
        }
        if (pass == 1 && byte != c) {  // further pixels of a narrow block
          const int32_t from = j * lanes + c / 16 * 4 + c % 4;
          for (int32_t part = kDwBias; part < kDwWeights; part += 4) {
            if (part >= kDwWord0 && worst == DwEpilogue::kInteger) break;
            words[part * lanes + at] = words[part * lanes + from];
          }
        }
      }
      if (pass == 1) continue;
      const int32_t at = j * lanes + c / 16 * 4 + c % 4;
      int64_t sum = 0;
      const FloatRequant fit = FitChannel(s, k.weights, bias, q, n, &sum);
      words[kDwBias * lanes + at] = static_cast<int32_t>(
          static_cast<uint32_t>(bias) - static_cast<uint32_t>(sum * (128 + s.input_zero_point)));
      floats[kDwScale * lanes + at] = fit.scale;
      floats[kDwOffset * lanes + at] = fit.offset;
      words[kDwWord0 * lanes + at] = fit.patch_acc;
      words[kDwWord1 * lanes + at] = fit.patch_delta;
      const DwEpilogue needs = fit.kind == FloatRequantKind::kExact     ? DwEpilogue::kFloat
                               : fit.kind == FloatRequantKind::kPatched ? DwEpilogue::kFloatPatched
                                                                        : DwEpilogue::kInteger;
      if (needs > worst) worst = needs;
    }
  }
  *kind = static_cast<uint8_t>(worst);

  // Weights.
  const int32_t basic = plan.taps / plan.weight_sets;
  for (int32_t pair = 0; pair < plan.pair; ++pair) {
    for (int32_t g = 0; g < plan.groups; ++g) {
      const DwX86Group group = plan.group(s, g);
      const int32_t end = group.first_tap + (s.kernel_w + group.columns - 1) / group.columns;
      for (int32_t tap = group.first_tap; tap < end; ++tap) {
        for (int32_t set = 0; set < plan.weight_sets; ++set) {
          for (int32_t c = 0; c < block.channels; ++c) {
            int32_t w[4];
            for (int32_t b = 0; b < 4; ++b) {
              w[b] = TapWeight(s, k.weights, plan.weight_sets, group, tap, b, pair, block.begin + c,
                               set);
            }
            const size_t index =
                (static_cast<size_t>(pair) * plan.taps + set * basic + tap) * 4 + c % 16 / 4;
            uint8_t* const vector = out + (kDwWeights + index * plan.parts) * v;
            for (int32_t byte = c; byte < v; byte += block.width) {
              uint8_t* const at = vector + (byte / 16 * 4 + c % 4) * 4;
              if (plan.parts == 1) {
                for (int32_t b = 0; b < 4; ++b) {
                  at[b] = static_cast<uint8_t>(static_cast<int8_t>(w[b]));
                }
              } else {
                const int16_t even[2] = {static_cast<int16_t>(w[0]), static_cast<int16_t>(w[2])};
                const int16_t odd[2] = {static_cast<int16_t>(w[1]), static_cast<int16_t>(w[3])};
                std::memcpy(at, even, 4);
                std::memcpy(at + v, odd, 4);
              }
            }
          }
        }
      }
    }
  }
}

void Pack(const QS8DwConvShape& s, const QS8DwConvConstants& k, DwX86Isa isa, void* pack) {
  const DwX86Plan plan = MakeDwX86Plan(s, isa);
  uint8_t* out = static_cast<uint8_t*>(pack);
  std::memset(out, 0, plan.pack_header);
  for (int32_t i = 0; i < plan.blocks; ++i) {
    PackBlock(s, k, plan, DwX86BlockAt(s, isa.vector, i), out + i,
              out + plan.pack_header + plan.pack_block * i);
  }
}

}  // namespace

#define OCTET_DW_X86(prefix, isa)                                                       \
  bool prefix##Supports(const QS8DwConvShape&) { return true; }                         \
  size_t prefix##PackBytes(const QS8DwConvShape& s) { return PackBytes(s, isa); }       \
  size_t prefix##ScratchBytes(const QS8DwConvShape& s) { return ScratchBytes(s, isa); } \
  void prefix##Pack(const QS8DwConvShape& s, const QS8DwConvConstants& k, void* pack) { \
    Pack(s, k, isa, pack);                                                              \
  }
OCTET_DW_X86(QS8DwConvAvx512Vnni, kDwAvx512Vnni)
OCTET_DW_X86(QS8DwConvAvxVnni, kDwAvxVnni)
OCTET_DW_X86(QS8DwConvAvx2, kDwAvx2)
#undef OCTET_DW_X86

}  // namespace octet

#endif  // OCTET_ARCH_X86
