#include "kernels/s8_dot/s8_dot.h"

namespace octet {

Span<const S8DotKernel> S8DotTable() {
  static constexpr S8DotKernel kTable[] = {
#define OCTET_S8_DOT(suffix, name, isa)                         \
  {"s8_dot__" name,      Isa::isa,           S8DotRows##suffix, \
   S8DotColumns##suffix, S16DotRows##suffix, S16Products##suffix},
#include "kernels/s8_dot/s8_dot_table.inc"
#undef OCTET_S8_DOT
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
