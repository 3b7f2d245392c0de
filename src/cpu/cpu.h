// Which instruction sets the kernels may use.
#pragma once

#include <cstdint>

#include "src/base/status.h"

namespace octet {

// One bit an instruction set. A CPU has a set of them; a kernel needs one (whose file may use
// everything that the set implies: AVX-VNNI implies AVX2, AMX implies AVX-512 VNNI, ...).
enum class Isa : uint32_t {
  kScalar = 0,
  kAvx2 = 1u << 0,        // AVX2 and FMA
  kAvxVnni = 1u << 1,     // 256-bit vpdpbusd, VEX
  kAvx512Vnni = 1u << 2,  // AVX-512 F/BW/VL/DQ/VBMI and VNNI
  kAmx = 1u << 3,         // AMX int8, granted by the kernel
  kNeon = 1u << 4,        // NEON (ARMv7 with NEON, every AArch64)
  kNeonDot = 1u << 5,     // sdot
  kNeonI8mm = 1u << 6,    // smmla
};

// A set of Isa bits.
struct IsaSet {
  uint32_t bits = 0;
  bool xnnpack = false;  // float32 operators may be XNNPACK's
  bool has(Isa isa) const { return isa == Isa::kScalar || (bits & static_cast<uint32_t>(isa)); }
};

// The name that OCTET_ISA uses.
const char* IsaName(Isa isa);

// The sets up to and including a name of OCTET_ISA on its architecture, e.g. "avxvnni" gives AVX2
// and AVX-VNNI; false for an unknown name.
bool IsaSetByName(const char* name, IsaSet* set);

// What this CPU and this build have, asked each time (a few microseconds); `xnnpack` where the
// build has it.
IsaSet DetectIsa();

// DetectIsa() capped by `cap`, or by the environment's OCTET_ISA where cap is null. A cap leaves
// XNNPACK out: Octet's own kernels are what a named instruction set gives.
Status ChooseIsa(const char* cap, IsaSet* set);

}  // namespace octet
