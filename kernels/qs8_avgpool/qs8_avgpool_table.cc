#include "kernels/qs8_avgpool/qs8_avgpool.h"

namespace octet {

Span<const QS8AvgPoolKernel> QS8AvgPoolTable() {
  static constexpr QS8AvgPoolKernel kTable[] = {
#define OCTET_QS8_AVGPOOL(function, name, isa) {name, Isa::isa, function},
#include "kernels/qs8_avgpool/qs8_avgpool_table.inc"
#undef OCTET_QS8_AVGPOOL
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
