// Source of the formula: TFLite's reference_ops::ArgMinMax.
#include "kernels/s8_argmax/s8_argmax.h"

namespace octet {
namespace {

int32_t First(ArgKind kind, const int8_t* input, size_t n, size_t stride) {
  size_t index = 0;
  int8_t best = input[0];
  for (size_t i = 1; i < n; ++i) {
    const int8_t x = input[i * stride];
    if (kind == ArgKind::kMax ? x > best : x < best) {
      best = x;
      index = i;
    }
  }
  return static_cast<int32_t>(index);
}

}  // namespace

void S8ArgRefRows(ArgKind kind, const int8_t* input, size_t depth, size_t vectors, int32_t* index) {
  for (size_t v = 0; v < vectors; ++v) index[v] = First(kind, input + v * depth, depth, 1);
}

void S8ArgRefColumns(ArgKind kind, const int8_t* input, size_t rows, size_t stride, size_t columns,
                     int32_t* index) {
  for (size_t c = 0; c < columns; ++c) index[c] = First(kind, input + c, rows, stride);
}

}  // namespace octet
