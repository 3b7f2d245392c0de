#include "kernels/x8_minmax/x8_minmax.h"

namespace octet {

Span<const BinaryKernel> S8MaxTable() {
  static constexpr BinaryKernel kTable[] = {
#define OCTET_S8_MINMAX(function, name, isa) {"s8_max__" name, Isa::isa, S8Max##function},
#include "kernels/x8_minmax/x8_minmax_table.inc"
#undef OCTET_S8_MINMAX
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

Span<const BinaryKernel> S8MinTable() {
  static constexpr BinaryKernel kTable[] = {
#define OCTET_S8_MINMAX(function, name, isa) {"s8_min__" name, Isa::isa, S8Min##function},
#include "kernels/x8_minmax/x8_minmax_table.inc"
#undef OCTET_S8_MINMAX
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
