// Declares the functions of every row of the table, from the table itself.
#pragma once

#include "kernels/qs16_conv/qs16_conv.h"

namespace octet {

// One output channel in a pack.
struct QS16Channel {
  int64_t bias;
  Multiplier multiplier;

  int16_t Output(const QS16ConvShape& s, uint64_t acc) const {
    const int32_t scaled =
        s.acc64 ? Requantize64(static_cast<int64_t>(acc), multiplier)
                : Requantize(static_cast<int32_t>(static_cast<uint32_t>(acc)), multiplier);
    return static_cast<int16_t>(Clamp(scaled, s.act_min, s.act_max));
  }
};

#define OCTET_QS16_CONV(prefix, name, isa, layout, block)                                \
  bool prefix##Supports(const QS16ConvShape& shape);                                     \
  size_t prefix##PackBytes(const QS16ConvShape& shape);                                  \
  void prefix##Pack(const QS16ConvShape& shape, const QS16ConvConstants& k, void* pack); \
  void prefix##Run(const QS16ConvRun& run);
#include "kernels/qs16_conv/qs16_conv_table.inc"
#undef OCTET_QS16_CONV

}  // namespace octet
