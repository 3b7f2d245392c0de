#include "kernels/qs8_mean/qs8_mean.h"

namespace octet {

Span<const QS8MeanKernel> QS8MeanTable() {
  static constexpr QS8MeanKernel kTable[] = {
#define OCTET_QS8_MEAN(function, name, isa) {name, Isa::isa, function},
#include "kernels/qs8_mean/qs8_mean_table.inc"
#undef OCTET_QS8_MEAN
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
