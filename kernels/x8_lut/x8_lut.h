// x8_lut: every unary operator on 8-bit values is a table of 256 entries.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/table.h"

namespace octet {

// output[i] = table[uint8(input[i])] for i in [0, n). Output may lie exactly over input.
using X8LutFn = void (*)(const uint8_t* input, size_t n, const uint8_t* table, uint8_t* output);

struct X8LutKernel {
  const char* name;
  Isa isa;
  X8LutFn run;
};

// Declarations and table come from the rows of x8_lut_table.inc.
#define OCTET_X8_LUT(function, name, isa) \
  void function(const uint8_t* input, size_t n, const uint8_t* table, uint8_t* output);
#include "kernels/x8_lut/x8_lut_table.inc"
#undef OCTET_X8_LUT

Span<const X8LutKernel> X8LutTable();

}  // namespace octet
