// Mutations that suit FlatBuffers: fields change in place, where insertions would only break every
// offset behind them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace octet::fuzz {

class Random {
 public:
  explicit Random(uint32_t seed) : state_(seed * 2654435761u + 1) {}
  uint32_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }
  size_t below(size_t n) { return n > 0 ? next() % n : 0; }

 private:
  uint32_t state_;
};

inline size_t MutateFields(uint8_t* data, size_t size, size_t max_size, uint32_t seed) {
  Random random(seed);
  if (size < 16 || random.below(16) == 0) return LLVMFuzzerMutate(data, size, max_size);
  for (size_t changes = 1 + random.below(3); changes > 0; --changes) {
    const size_t width = size_t{1} << random.below(4);
    uint8_t* field = data + random.below(size / width) * width;
    int64_t value = 0;
    std::memcpy(&value, field, width);
    switch (random.below(6)) {
      case 0: {
        static constexpr int64_t kInteresting[] = {
            0,         1,        -1,        2,         3,
            16,        64,       127,       128,       -128,
            255,       256,      32767,     -32768,    65535,
            65536,     1 << 30,  INT32_MAX, INT32_MIN, int64_t{1} << 32,
            INT64_MAX, INT64_MIN};
        value = kInteresting[random.below(sizeof kInteresting / sizeof kInteresting[0])];
        break;
      }
      case 1:
        value = static_cast<int64_t>(static_cast<uint64_t>(value) + random.below(9) - 4);
        break;
      case 2:
        value ^= static_cast<int64_t>(uint64_t{1} << random.below(8 * width));
        break;
      case 3:
        value = static_cast<int64_t>(random.next());
        break;
      case 4: {
        const uint32_t floats[] = {0x7F800000u, 0x7FC00000u, 0x00000001u, 0x7F7FFFFFu,
                                   0x3F800000u, 0xBF800000u, 0x00800000u, 0x4B800000u};
        value = floats[random.below(8)];
        break;
      }
      default:
        std::memcpy(&value, data + random.below(size / width) * width, width);
    }
    std::memcpy(field, &value, width);
  }
  return size;
}

}  // namespace octet::fuzz
