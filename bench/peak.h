// The multiply-accumulate peak of an instruction set on this CPU, as the yardstick of kernels:
// measured beside them, in the same run, since clocks move.
#pragma once

#include "src/cpu/cpu.h"

namespace octet {

// Multiply-accumulates a second of int8 (or, where the instruction set has nothing better that is
// exact, int16) products from registers; 0 where this is not known. Takes about a tenth of a
// millisecond: call it often and keep the largest.
double PeakMacs(Isa isa);

// Bytes a second that vectors of the instruction set move from one buffer of the first-level cache
// to another; 0 where this is not known.
double PeakBytes(Isa isa);

}  // namespace octet
