// From accumulators to bytes.
// Part of qs8_dwconv_x86_impl.h: internal linkage, over the including file's class `Ops`.
#pragma once

#include <cstring>

#include "kernels/qs8_dwconv/qs8_dwconv_kernels.h"
#include "kernels/qs8_dwconv/qs8_dwconv_x86.h"

#if defined(__clang__)
#define OCTET_UNROLL _Pragma("unroll")
#define OCTET_NO_UNROLL _Pragma("nounroll")
#else
#define OCTET_UNROLL _Pragma("GCC unroll 16")
#define OCTET_NO_UNROLL _Pragma("GCC unroll 1")  // else gcc hands inner pragmas on to outer loops
#endif
#define OCTET_INLINE inline __attribute__((always_inline))
#define OCTET_NOINLINE __attribute__((noinline))
// Keeps gcc from advancing several pointers as one vector, which goes through memory each time.
#define OCTET_KEEP_POINTER(p) __asm__("" : "+r"(p))

namespace octet {
namespace {

using Int = Ops::Int;
constexpr int kV = Ops::kVector;
constexpr int kParts = Ops::kParts;
constexpr int kDirectSets = kParts == 1 ? 2 : 1;

// One pixel's channels; the usual numbers of them by instructions of their own.
OCTET_INLINE void CopyPiece(int8_t* to, const int8_t* from, int32_t channels) {
  if (channels == 16) {
    std::memcpy(to, from, 16);
  } else if (channels == 32) {
    std::memcpy(to, from, 32);
  } else if (channels == 8) {
    std::memcpy(to, from, 8);
  } else {
    std::memcpy(to, from, static_cast<size_t>(channels));
  }
}

enum class Finish {
  kRelu,           // one line, no clamp beyond that of int8
  kReluPatched,    // one line, patches, clamp
  kSigned,         // two lines, no clamp
  kSignedPatched,  // two lines, patches, clamp
  kInteger,
};
constexpr bool IsSigned(Finish f) { return f == Finish::kSigned || f == Finish::kSignedPatched; }
constexpr bool IsPatched(Finish f) {
  return f == Finish::kReluPatched || f == Finish::kSignedPatched;
}
constexpr bool HasClamp(Finish f) { return f != Finish::kRelu && f != Finish::kSigned; }
// Whether the zero point is still to be added to the rounded result.
constexpr bool AddsZeroPoint(Finish f) { return IsSigned(f) || f == Finish::kInteger; }

// Rare, and too long to be inlined.
OCTET_NOINLINE Int FinishExactly(Int acc, const uint8_t* pack, int j) {
  return Ops::Requantize(acc, Ops::Load(pack + (kDwWord0 + j) * kV),
                         Ops::Load(pack + (kDwWord1 + j) * kV));
}

template <Finish F>
OCTET_INLINE Int FinishInt(Int acc, const uint8_t* pack, int j) {
  if (F == Finish::kInteger) return FinishExactly(acc, pack, j);
  Int r = Ops::template Round<IsSigned(F)>(acc, pack + (kDwScale + j) * kV,
                                           pack + (kDwOffset + j) * kV);
  if (IsPatched(F)) {
    r = Ops::AddWhereEqual(r, acc, Ops::Load(pack + (kDwWord0 + j) * kV),
                           Ops::Load(pack + (kDwWord1 + j) * kV));
  }
  return r;
}

}  // namespace
}  // namespace octet
