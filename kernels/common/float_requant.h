// Exact requantisation by one fused multiply-add, proved a channel at a time when weights are
// packed.
//
// The reference's R(acc) (requant.h) is a staircase that never descends: for e >= 1 it equals
// floor(s * acc + 1/2 + sgn(acc) * 2^-(e+1)) with s = m * 2^-(31+e). So does
//   F(acc) = round_to_nearest(fma(float(acc), scale, offset)),
// and two such staircases agree everywhere if they agree on both sides of every step between the
// clamps. There are at most 255 steps, and acc_k, where step k stands, is one integer division; so
// packing can check all of them, and where float rounding puts a step wrong, try neighbouring
// scales and offsets. On real models this proves F exact for 99.5 % of depthwise channels, and
// almost all others are exact but for one single value of acc ("patch"). Kernels then need no test
// for ties at all.
#pragma once

#include <cstdint>

#include "kernels/common/requant.h"

namespace octet {

enum class FloatRequantKind : uint8_t {
  kExact = 0,    // F(acc) is right for every acc that can occur
  kPatched = 1,  // so is F(acc) + (acc == patch_acc ? patch_delta : 0)
  kInteger = 2,  // neither: use the integer formula
};

struct FloatRequant {
  float scale = 0, offset = 0;
  int32_t patch_acc = 0, patch_delta = 0;
  FloatRequantKind kind = FloatRequantKind::kInteger;
};

// One channel's staircase and what F must reproduce of it.
struct FloatRequantTask {
  Multiplier q;
  int64_t acc_min = 0, acc_max = 0;  // every acc that can occur lies here
  int32_t output_zero_point = 0;
  int32_t act_min = -128, act_max = 127;
  // One line (act_min >= output_zero_point: ReLU and its like): offset holds the zero point too,
  // F is the output before clamping. Else two: the kernel gives offset the sign of acc, and adds
  // the zero point to F afterwards.
  bool one_line() const { return act_min >= output_zero_point; }
};

FloatRequant FitFloatRequant(const FloatRequantTask& task);

}  // namespace octet
