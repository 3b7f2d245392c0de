#include <cstring>

#include "kernels/xx_copy/xx_copy.h"

namespace octet {
namespace {

// A length that the compiler knows turns memcpy into one or two moves.
template <size_t kRun>
void Runs(const uint8_t* from, ptrdiff_t from_step, uint8_t* to, ptrdiff_t to_step, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const ptrdiff_t k = static_cast<ptrdiff_t>(i);
    std::memcpy(to + k * to_step, from + k * from_step, kRun);
  }
}

template <size_t kRun>
void Gather(const uint8_t* from, const int32_t* index, uint8_t* to, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    std::memcpy(to + i * kRun, from + static_cast<size_t>(index[i]) * kRun, kRun);
  }
}

}  // namespace

void XxCopyRunsRef(const uint8_t* from, ptrdiff_t from_step, uint8_t* to, ptrdiff_t to_step,
                   size_t run, size_t n) {
  switch (run) {
    case 1:
      return Runs<1>(from, from_step, to, to_step, n);
    case 2:
      return Runs<2>(from, from_step, to, to_step, n);
    case 3:
      return Runs<3>(from, from_step, to, to_step, n);
    case 4:
      return Runs<4>(from, from_step, to, to_step, n);
    case 8:
      return Runs<8>(from, from_step, to, to_step, n);
    case 16:
      return Runs<16>(from, from_step, to, to_step, n);
    case 32:
      return Runs<32>(from, from_step, to, to_step, n);
    default:
      break;
  }
  for (size_t i = 0; i < n; ++i) {
    const ptrdiff_t k = static_cast<ptrdiff_t>(i);
    std::memcpy(to + k * to_step, from + k * from_step, run);
  }
}

void XxGatherRunsRef(const uint8_t* from, const int32_t* index, uint8_t* to, size_t run, size_t n) {
  switch (run) {
    case 1:
      return Gather<1>(from, index, to, n);
    case 2:
      return Gather<2>(from, index, to, n);
    case 3:
      return Gather<3>(from, index, to, n);
    case 4:
      return Gather<4>(from, index, to, n);
    case 8:
      return Gather<8>(from, index, to, n);
    case 16:
      return Gather<16>(from, index, to, n);
    case 32:
      return Gather<32>(from, index, to, n);
    default:
      break;
  }
  for (size_t i = 0; i < n; ++i) {
    std::memcpy(to + i * run, from + static_cast<size_t>(index[i]) * run, run);
  }
}

}  // namespace octet
