#include "src/cpu/cpu.h"

#include <cstdlib>
#include <cstring>

#include "kernels/common/table.h"

#if OCTET_WITH_CPUINFO
#include <cpuinfo.h>
#endif
#if OCTET_ARCH_X86
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#if !OCTET_ARCH_X86
#include <sys/auxv.h>
#endif
#endif

namespace octet {
namespace {

struct Named {
  const char* name;
  Isa isa;
  uint32_t cap;  // the set that the name stands for as a cap
};

constexpr uint32_t Bit(Isa isa) { return static_cast<uint32_t>(isa); }

// Each name allows itself and what came before it on its architecture. AVX-512 VNNI allows
// AVX-VNNI: a family without an AVX-512 kernel may still have a 256-bit one.
constexpr Named kNames[] = {
    {"scalar", Isa::kScalar, 0},
    {"avx2", Isa::kAvx2, Bit(Isa::kAvx2)},
    {"avxvnni", Isa::kAvxVnni, Bit(Isa::kAvx2) | Bit(Isa::kAvxVnni)},
    {"avx512vnni", Isa::kAvx512Vnni, Bit(Isa::kAvx2) | Bit(Isa::kAvxVnni) | Bit(Isa::kAvx512Vnni)},
    {"amx", Isa::kAmx,
     Bit(Isa::kAvx2) | Bit(Isa::kAvxVnni) | Bit(Isa::kAvx512Vnni) | Bit(Isa::kAmx)},
    {"neon", Isa::kNeon, Bit(Isa::kNeon)},
    {"neondot", Isa::kNeonDot, Bit(Isa::kNeon) | Bit(Isa::kNeonDot)},
    {"neoni8mm", Isa::kNeonI8mm, Bit(Isa::kNeon) | Bit(Isa::kNeonDot) | Bit(Isa::kNeonI8mm)},
};

#if OCTET_ARCH_X86

// What the operating system saves on a context switch (XCR0).
uint64_t EnabledState() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & (1u << 27))) return 0;  // no OSXSAVE
  uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

// Linux gives AMX's tile state to a process that asks: ARCH_REQ_XCOMP_PERM for XTILEDATA.
bool RequestAmx() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

// CPUID by hand: cpuinfo's releases before 2022 know neither AVX-VNNI nor AMX.
IsaSet Detect() {
  IsaSet set;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  const uint64_t state = EnabledState();
  constexpr uint64_t kYmm = 0x6, kZmm = 0xe6, kTiles = 0x60000;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return set;
  const bool fma = ecx & (1u << 12);
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return set;
  const unsigned subleaves = eax;
  bool avx2 = fma && (ebx & (1u << 5)) && (state & kYmm) == kYmm;
  // F, DQ, CD, BW, VL
  constexpr unsigned kAvx512 = (1u << 16) | (1u << 17) | (1u << 28) | (1u << 30) | (1u << 31);
  bool avx512 = (ebx & kAvx512) == kAvx512 && (ecx & (1u << 1)) /* VBMI */ &&
                (ecx & (1u << 11)) /* VNNI */ && (state & kZmm) == kZmm;
  const bool amx = (edx & (1u << 24)) && (edx & (1u << 25)) && (state & kTiles) == kTiles;
#if OCTET_WITH_CPUINFO
  if (cpuinfo_initialize()) {
    avx2 = avx2 && cpuinfo_has_x86_avx2() && cpuinfo_has_x86_fma3();
    avx512 = avx512 && cpuinfo_has_x86_avx512f() && cpuinfo_has_x86_avx512vnni();
  }
#endif
  if (!avx2) return set;
  set.bits |= Bit(Isa::kAvx2);
  if (subleaves >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & (1u << 4))) {
    set.bits |= Bit(Isa::kAvxVnni);
  }
  if (!avx512) return set;
  set.bits |= Bit(Isa::kAvx512Vnni);
  if (amx && RequestAmx()) set.bits |= Bit(Isa::kAmx);
  return set;
}

#elif OCTET_ARCH_ARM64

IsaSet Detect() {
  IsaSet set;
  set.bits = Bit(Isa::kNeon);                       // part of every AArch64
#if defined(__linux__)
  constexpr unsigned long kDotProduct = 1ul << 20;  // HWCAP_ASIMDDP
  constexpr unsigned long kI8mm = 1ul << 13;        // HWCAP2_I8MM
  // The kernel's word, alone: it is for all cores, and cpuinfo of 2026 dies of the contradictions
  // between /proc and /sys where an x86 PC emulates (containers of other architectures).
  const bool dot = (getauxval(AT_HWCAP) & kDotProduct) != 0;
  if (dot) set.bits |= Bit(Isa::kNeonDot);
  if (dot && (getauxval(AT_HWCAP2) & kI8mm) != 0) set.bits |= Bit(Isa::kNeonI8mm);
#endif
  return set;
}

#elif OCTET_ARCH_ARM32

IsaSet Detect() {
  IsaSet set;
#if defined(__linux__)
  constexpr unsigned long kNeon = 1ul << 12;  // HWCAP_NEON
  if ((getauxval(AT_HWCAP) & kNeon) != 0) set.bits = Bit(Isa::kNeon);
#endif
  return set;
}

#else

IsaSet Detect() { return {}; }

#endif

}  // namespace

const char* IsaName(Isa isa) {
  for (const Named& row : kNames) {
    if (row.isa == isa) return row.name;
  }
  return "unknown";
}

bool IsaSetByName(const char* name, IsaSet* set) {
  for (const Named& row : kNames) {
    if (std::strcmp(row.name, name) == 0) {
      set->bits = row.cap;
      return true;
    }
  }
  return false;
}

IsaSet DetectIsa() {
  IsaSet set = Detect();
#if OCTET_WITH_XNNPACK
  set.xnnpack = true;
#endif
  return set;
}

Status ChooseIsa(const char* cap, IsaSet* set) {
  const char* name = cap;
  if (name == nullptr) name = std::getenv("OCTET_ISA");
  IsaSet allowed;
  allowed.bits = ~uint32_t{0};
  if (name != nullptr && name[0] != '\0' && !IsaSetByName(name, &allowed)) {
    return Fail(OCTET_INVALID_ARGUMENT,
                "unknown instruction set \"%s\"%s; known are scalar, avx2, avxvnni, avx512vnni, "
                "amx, neon, neondot and neoni8mm",
                name, cap == nullptr ? " in OCTET_ISA" : "");
  }
  *set = DetectIsa();
  set->bits &= allowed.bits;
  if (name != nullptr && name[0] != '\0') set->xnnpack = false;
  return OCTET_OK;
}

}  // namespace octet
