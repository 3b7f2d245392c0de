#include "kernels/x8_lut/x8_lut.h"

namespace octet {

void X8LutRef(const uint8_t* input, size_t n, const uint8_t* table, uint8_t* output) {
  for (size_t i = 0; i < n; ++i) output[i] = table[input[i]];
}

}  // namespace octet
