// Words of a file, whose byte order does not depend on the machine's.
#pragma once

#include <cstdint>
#include <cstring>

namespace octet {

inline uint64_t LoadLittleEndian64(const uint8_t* p) {
  uint64_t w;
  std::memcpy(&w, p, sizeof w);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  w = __builtin_bswap64(w);
#endif
  return w;
}

}  // namespace octet
