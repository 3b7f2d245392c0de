#include "kernels/s8_softmax/s8_softmax.h"

namespace octet {

Span<const S8SoftmaxKernel> S8SoftmaxTable() {
  static constexpr S8SoftmaxKernel kTable[] = {
#define OCTET_S8_SOFTMAX(suffix, name, isa) \
  {"s8_softmax__" name, Isa::isa, S8Softmax##suffix, S8Softmax16##suffix},
#include "kernels/s8_softmax/s8_softmax_table.inc"
#undef OCTET_S8_SOFTMAX
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
