// The state of one block of channels in the ARM kernels of qs8_conv; for files with instruction-set
// flags.
#pragma once

#include "kernels/common/requant_neon.h"
#include "kernels/qs8_conv/qs8_conv_arm.h"
#include "kernels/qs8_conv/qs8_conv_kernels.h"

// Pixels that are computed together (qs8_conv_neon.inc).
#ifndef OCTET_CONV_ARM_UNIT
#define OCTET_CONV_ARM_UNIT 1
#endif

namespace octet {

struct Columns {
  const int8_t* weights;
  const ConvArmConstants* constants;
  int32_t flags;
  ptrdiff_t out_offset;
  int32_t lane_begin, lane_end;
  bool whole;
};

}  // namespace octet
