// Kernel tables: a family is one folder, and one table in it lists its kernels, best first, ending
// in the scalar reference. Dispatch, tests and benchmarks all walk that table.
#pragma once

#include "src/base/span.h"
#include "src/cpu/cpu.h"

#if defined(__x86_64__) || defined(_M_X64)
#define OCTET_ARCH_X86 1
#elif defined(__aarch64__)
#define OCTET_ARCH_ARM64 1
#elif defined(__arm__)
#define OCTET_ARCH_ARM32 1
#endif

namespace octet {

// The first row that `isa` can run and whose `supports(args...)`, where the row has one, agrees.
// Row types have members `name` and `isa`.
template <class Row>
const Row& FirstRow(Span<const Row> table, IsaSet isa) {
  for (const Row& row : table) {
    if (isa.has(row.isa)) return row;
  }
  return table[table.size - 1];
}

}  // namespace octet
