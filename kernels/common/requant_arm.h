// The constants that a block of channels is requantised by on ARM (requant_neon.h), as packs hold
// them; portable, since any machine packs.
#pragma once

#include "kernels/common/requant.h"

namespace octet {

template <int32_t kBlock>
struct ArmConstants {
  int32_t bias[kBlock];  // with everything that the zero points add
  int32_t multiplier[kBlock];
  int32_t right[kBlock];  // in [-31, 0]
  int32_t left[kBlock];   // in [0, 31]

  // weights: the sum of the channel's. True if it shifts to the left.
  bool Set(int32_t lane, int32_t channel_bias, int32_t input_zero_point, uint32_t weights,
           Multiplier q) {
    bias[lane] = static_cast<int32_t>(static_cast<uint32_t>(channel_bias) -
                                      static_cast<uint32_t>(input_zero_point) * weights);
    // As Requantize (requant.h) takes them.
    multiplier[lane] = q.m;
    right[lane] = q.shift > 0 ? 0 : -(-q.shift & 31);
    left[lane] = q.shift > 0 ? q.shift & 31 : 0;
    return left[lane] != 0;
  }
};

}  // namespace octet
