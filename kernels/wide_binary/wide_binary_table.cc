#include "kernels/wide_binary/wide_binary.h"

namespace octet {

Span<const BinaryKernel> Qs16AddTable() {
  static constexpr BinaryKernel kTable[] = {
#define OCTET_WIDE_S16(suffix, name, isa) {"qs16_add__" name, Isa::isa, Qs16Add##suffix},
#include "kernels/wide_binary/wide_binary_table.inc"
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

Span<const BinaryKernel> Qs16PotAddTable() {
  static constexpr BinaryKernel kTable[] = {
#define OCTET_WIDE_S16(suffix, name, isa) {"qs16_pot_add__" name, Isa::isa, Qs16PotAdd##suffix},
#include "kernels/wide_binary/wide_binary_table.inc"
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

Span<const BinaryKernel> Qs16MulTable() {
  static constexpr BinaryKernel kTable[] = {
#define OCTET_WIDE_S16(suffix, name, isa) {"qs16_mul__" name, Isa::isa, Qs16Mul##suffix},
#include "kernels/wide_binary/wide_binary_table.inc"
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

Span<const BinaryKernel> S16MaxTable() {
  static constexpr BinaryKernel kTable[] = {
#define OCTET_WIDE_S16(suffix, name, isa) {"s16_max__" name, Isa::isa, S16Max##suffix},
#include "kernels/wide_binary/wide_binary_table.inc"
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

Span<const BinaryKernel> S16MinTable() {
  static constexpr BinaryKernel kTable[] = {
#define OCTET_WIDE_S16(suffix, name, isa) {"s16_min__" name, Isa::isa, S16Min##suffix},
#include "kernels/wide_binary/wide_binary_table.inc"
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

Span<const BinaryKernel> F32DivTable() {
  static constexpr BinaryKernel kTable[] = {
#define OCTET_WIDE_F32(suffix, name, isa) {"f32_div__" name, Isa::isa, F32Div##suffix},
#include "kernels/wide_binary/wide_binary_table.inc"
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
