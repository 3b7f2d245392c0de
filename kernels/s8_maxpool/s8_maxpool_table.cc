#include "kernels/s8_maxpool/s8_maxpool.h"

namespace octet {

Span<const S8MaxPoolKernel> S8MaxPoolTable() {
  static constexpr S8MaxPoolKernel kTable[] = {
#define OCTET_S8_MAXPOOL(function, name, isa) {name, Isa::isa, function},
#include "kernels/s8_maxpool/s8_maxpool_table.inc"
#undef OCTET_S8_MAXPOOL
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
