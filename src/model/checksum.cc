#include "src/model/checksum.h"

#include <cstring>

#include "src/base/little_endian.h"

namespace octet {
namespace {

constexpr uint64_t kPrime = 0x9E3779B97F4A7C15u;

}  // namespace

uint64_t Checksum(const uint8_t* data, size_t size) {
  uint64_t lanes[8];
  for (uint64_t i = 0; i < 8; ++i) lanes[i] = (i + 1) * kPrime;
  size_t i = 0;
  for (; i + 64 <= size; i += 64) {
    for (size_t j = 0; j < 8; ++j)
      lanes[j] = (lanes[j] ^ LoadLittleEndian64(data + i + 8 * j)) * kPrime;
  }
  uint8_t tail[64] = {};
  if (i < size) std::memcpy(tail, data + i, size - i);
  for (size_t j = 0; j < 8; ++j) lanes[j] = (lanes[j] ^ LoadLittleEndian64(tail + 8 * j)) * kPrime;
  uint64_t h = size;
  for (uint64_t lane : lanes) {
    h = (h ^ lane) * kPrime;
    h ^= h >> 32;
  }
  return h;
}

}  // namespace octet
