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

// Rows of tables for ARM: OCTET_ARM64_ROW(OCTET_FAMILY)(...) is OCTET_FAMILY(...) there. Elsewhere
// it is OCTET_FAMILY_PACK(...), a row without functions that run, in builds that pack for other
// machines (octet convert --target), and else nothing. OCTET_ARM_ROW: on 32-bit ARM too.
#define OCTET_NO_ROW(...)
#if OCTET_CROSS_PACKS
#define OCTET_PACK_ROW(family) family##_PACK
#else
#define OCTET_PACK_ROW(family) OCTET_NO_ROW
#endif
#if OCTET_ARCH_ARM64
#define OCTET_ARM64_ROW(family) family
#else
#define OCTET_ARM64_ROW OCTET_PACK_ROW
#endif
#if OCTET_ARCH_ARM64 || OCTET_ARCH_ARM32
#define OCTET_ARM_ROW(family) family
#else
#define OCTET_ARM_ROW OCTET_PACK_ROW
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
