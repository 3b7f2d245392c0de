// Plans and packs of the ARM kernels of qs8_dwconv; portable, so that any machine can make them.
#include <cstring>

#include "kernels/qs8_dwconv/qs8_dwconv_arm.h"

namespace octet {
namespace {

constexpr size_t kAlign = 64;
constexpr size_t kPlainBytes = 4 * 1024;         // of plain columns, and
constexpr size_t kInterleavedBytes = 12 * 1024;  // of interleaved ones: well inside L1
constexpr size_t kSmallBytes = 2 * 1024;         // of either, in plans that save RAM
constexpr int32_t kLeastStrip = 8;

size_t RoundUp(size_t n, size_t to) { return (n + to - 1) / to * to; }

int32_t Columns(const QS8DwConvShape& s, int32_t outputs) {
  return (outputs - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w + 1;
}

// Number `set` of the int8 numbers whose sum is w.
int32_t WeightPart(int32_t w, int32_t set) {
  for (int32_t i = 0; i < set; ++i) w -= Clamp(w, -128, 127);
  return Clamp(w, -128, 127);
}

// Products with weights whose magnitudes add up to this can be summed in 16 bits.
constexpr int32_t kMostWeight = 255;

// Which taps of a block are summed before they are widened. Sets of taps are bits.
class TapGroups {
 public:
  explicit TapGroups(const int8_t* weights) : weights_(weights) {}

  // Every two neighbours, for all channels?
  bool Pairs(int32_t taps) const {
    for (int32_t i = 0; i + 1 < taps; i += 2) {
      if (!Fits(i, 3)) return false;
    }
    return true;
  }

  // The groups of nine taps as flags, and the taps one group after the other.
  int32_t Nine(uint8_t* order) {
    for (uint32_t a = 1; a < kAll; a += 2) {
      if (!Three(a)) continue;
      const uint32_t rest = kAll & ~a;
      const uint32_t lowest = rest & (~rest + 1);
      for (uint32_t b = lowest; b < kAll; ++b) {
        if ((b & a) != 0 || (b & lowest) == 0 || !Three(b) || !Three(rest & ~b)) continue;
        Append(rest & ~b, Append(b, Append(a, order)));
        return kDwArmThrees;
      }
    }
    for (uint32_t a = 1; a < kAll; ++a) {
      if (!Three(a)) continue;
      uint32_t rest = kAll & ~a;
      bool fit = true;
      while (rest != 0) {
        const uint32_t other = rest & (rest - 1);  // without its first tap
        fit = fit && Fits(0, rest & ~(other & (other - 1)));
        rest = other & (other - 1);
      }
      if (!fit) continue;
      Append(kAll & ~a, Append(a, order));
      return kDwArmThree;
    }
    Append(kAll, order);
    return Pairs(9) ? 0 : kDwArmApart;
  }

 private:
  static constexpr uint32_t kAll = (1u << 9) - 1;

  // Of the taps from `first` on those in `set`.
  bool Fits(int32_t first, uint32_t set) const {
    int32_t sum[kDwArmBlock] = {};
    for (const int8_t* w = weights_ + first * kDwArmBlock; set != 0; set >>= 1, w += kDwArmBlock) {
      if ((set & 1) == 0) continue;
      for (int32_t lane = 0; lane < kDwArmBlock; ++lane)
        sum[lane] += w[lane] < 0 ? -w[lane] : w[lane];
    }
    for (const int32_t s : sum) {
      if (s > kMostWeight) return false;
    }
    return true;
  }

  // Three taps that fit? Asked often, so answers are kept.
  bool Three(uint32_t set) {
    if (three_[set] == 0) {
      int32_t taps = 0;
      for (uint32_t left = set; left != 0; left &= left - 1) ++taps;
      three_[set] = taps == 3 && Fits(0, set) ? 1 : -1;
    }
    return three_[set] > 0;
  }

  static uint8_t* Append(uint32_t set, uint8_t* order) {
    for (uint8_t tap = 0; tap < 9; ++tap) {
      if ((set >> tap & 1) != 0) *order++ = tap;
    }
    return order;
  }

  const int8_t* weights_;
  int8_t three_[kAll + 1] = {};
};

}  // namespace

DwArmPlan::DwArmPlan(const QS8DwConvShape& s, bool dot) {
  // w - zp lies in [-255, 255].
  weight_sets = s.weight_zero_point == 0 ? 1 : (s.weight_zero_point > -128 ? 2 : 3);
  pair = dot && s.stride_h == 1 && s.dilation_h == 1 && s.kernel_h > 1 ? 2 : 1;
  window_rows = s.kernel_h + pair - 1;
  groups = dot ? (window_rows + 3) / 4 : window_rows;
  taps = weight_sets * groups * s.kernel_w;
  blocks = (s.out_c() + kDwArmBlock - 1) / kDwArmBlock;
  odd = s.depth_multiplier != 1 || s.out_c() % kDwArmBlock != 0;
  nine = !dot && s.kernel_h * s.kernel_w == 9;

  const size_t column = static_cast<size_t>(groups) * (dot ? 64 : kDwArmBlock);
  const size_t most = s.run_rows > 0 ? kSmallBytes : (dot ? kInterleavedBytes : kPlainBytes);
  strip = s.out_w;
  for (int32_t cuts = 2; strip > kLeastStrip; ++cuts) {
    if (static_cast<size_t>(Columns(s, strip)) * column <= most) break;
    strip = (s.out_w + cuts - 1) / cuts;
    if (strip < kLeastStrip) strip = kLeastStrip;
  }
  columns = Columns(s, strip);
  rows_bytes = RoundUp(static_cast<size_t>(window_rows) * sizeof(void*), kAlign);
  taps_bytes = dot ? 0 : RoundUp(static_cast<size_t>(taps) * sizeof(void*), kAlign);
  plain_bytes =
      !dot || odd
          ? RoundUp(static_cast<size_t>(columns) * kDwArmBlock * static_cast<size_t>(window_rows),
                    kAlign)
          : 0;
  // Outputs of the last channels, if those don't fill a block.
  part_bytes = s.out_c() % kDwArmBlock != 0
                   ? RoundUp(static_cast<size_t>(pair * strip) * kDwArmBlock, kAlign)
                   : 0;
  dot_bytes = dot ? static_cast<size_t>(columns) * column : 0;

  constants_at = RoundUp(static_cast<size_t>(blocks) * sizeof(int32_t), kAlign);
  weights_at = constants_at + static_cast<size_t>(blocks) * sizeof(DwArmConstants);
  weight_bytes = static_cast<size_t>(pair) * static_cast<size_t>(taps) * (dot ? 64 : kDwArmBlock);
  block_bytes = weight_bytes + (nine ? 16 : 0);
  bytes = weights_at + static_cast<size_t>(blocks) * block_bytes;
}

namespace {

void Pack(const QS8DwConvShape& s, const QS8DwConvConstants& k, bool dot, void* pack) {
  const DwArmPlan plan(s, dot);
  uint8_t* const out = static_cast<uint8_t*>(pack);
  std::memset(out, 0, plan.bytes);
  int32_t* const flags = reinterpret_cast<int32_t*>(out);
  DwArmConstants* const constants = reinterpret_cast<DwArmConstants*>(out + plan.constants_at);
  const int32_t out_c = s.out_c();
  const size_t tap_bytes = dot ? 64 : kDwArmBlock;
  for (int32_t n = 0; n < out_c; ++n) {
    const int32_t block = n / kDwArmBlock, lane = n % kDwArmBlock;
    int8_t* const weights = reinterpret_cast<int8_t*>(out + plan.weights_at) +
                            static_cast<size_t>(block) * plan.block_bytes;
    uint32_t sum = 0;
    for (int32_t ky = 0; ky < s.kernel_h; ++ky) {
      for (int32_t kx = 0; kx < s.kernel_w; ++kx) {
        const size_t from =
            (static_cast<size_t>(ky) * static_cast<size_t>(s.kernel_w) + static_cast<size_t>(kx)) *
                static_cast<size_t>(out_c) +
            static_cast<size_t>(n);
        const int32_t w = k.weights[from] - s.weight_zero_point;
        sum += static_cast<uint32_t>(w);
        for (int32_t set = 0; set < plan.weight_sets; ++set) {
          const int32_t part = WeightPart(w, set);
          if (set > 0 && part != 0) flags[block] |= kDwArmWide;
          for (int32_t p = 0; p < plan.pair; ++p) {
            const int32_t row = ky + p;
            const int32_t group = dot ? row / 4 : row;
            const size_t tap = static_cast<size_t>(
                ((p * plan.weight_sets + set) * plan.groups + group) * s.kernel_w + kx);
            const size_t in_tap = static_cast<size_t>(dot ? lane * 4 + row % 4 : lane);
            weights[tap * tap_bytes + in_tap] = static_cast<int8_t>(part);
          }
        }
      }
    }
    const int32_t bias = k.bias != nullptr ? k.bias[n] : 0;
    if (constants[block].Set(lane, bias, s.input_zero_point, sum, k.scales.multiplier(n))) {
      flags[block] |= kDwArmLeft;
    }
  }
  if (dot) return;
  for (int32_t block = 0; block < plan.blocks; ++block) {
    int8_t* const weights = reinterpret_cast<int8_t*>(out + plan.weights_at) +
                            static_cast<size_t>(block) * plan.block_bytes;
    const bool wide = (flags[block] & kDwArmWide) != 0;
    TapGroups groups(weights);
    if (!plan.nine || wide) {
      const int32_t taps = wide ? plan.taps : plan.taps / plan.weight_sets;
      if (!groups.Pairs(taps)) flags[block] |= kDwArmApart;
      continue;
    }
    uint8_t* const order = reinterpret_cast<uint8_t*>(weights + plan.weight_bytes);
    flags[block] |= groups.Nine(order);
    int8_t plain[9 * kDwArmBlock];
    std::memcpy(plain, weights, sizeof plain);
    for (int32_t i = 0; i < 9; ++i) {
      std::memcpy(weights + i * kDwArmBlock, plain + order[i] * kDwArmBlock, kDwArmBlock);
    }
  }
}

size_t ScratchBytes(const QS8DwConvShape& s, bool dot) {
  const DwArmPlan plan(s, dot);
  return plan.rows_bytes + plan.taps_bytes + plan.plain_bytes + plan.part_bytes + plan.dot_bytes;
}

}  // namespace

#define OCTET_DW_ARM(prefix, dot)                                                       \
  bool prefix##Supports(const QS8DwConvShape&) { return true; }                         \
  size_t prefix##PackBytes(const QS8DwConvShape& s) { return DwArmPlan(s, dot).bytes; } \
  size_t prefix##ScratchBytes(const QS8DwConvShape& s) { return ScratchBytes(s, dot); } \
  void prefix##Pack(const QS8DwConvShape& s, const QS8DwConvConstants& k, void* pack) { \
    Pack(s, k, dot, pack);                                                              \
  }
OCTET_DW_ARM(QS8DwConvNeon, false)
OCTET_DW_ARM(QS8DwConvNeonDot, true)
#undef OCTET_DW_ARM

}  // namespace octet
