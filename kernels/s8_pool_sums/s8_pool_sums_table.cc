#include "kernels/s8_pool_sums/s8_pool_sums.h"

namespace octet {

Span<const S8PoolSumsKernel> S8PoolSumsTable() {
  static constexpr S8PoolSumsKernel kTable[] = {
#define OCTET_S8_POOL_SUMS(function, name, isa) {name, Isa::isa, function},
#include "kernels/s8_pool_sums/s8_pool_sums_table.inc"
#undef OCTET_S8_POOL_SUMS
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
