// The content checksum: what it must notice, and values that files out there rely on.
#include "src/model/checksum.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace octet {
namespace {

TEST(Checksum, NoticesEveryChangeOfOneByte) {
  std::vector<uint8_t> data(200);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i * 7);
  const uint64_t before = Checksum(data.data(), data.size());
  for (uint8_t& byte : data) {
    const uint8_t kept = byte;
    for (int change = 1; change < 256; ++change) {
      byte = static_cast<uint8_t>(kept ^ change);
      ASSERT_NE(Checksum(data.data(), data.size()), before);
    }
    byte = kept;
  }
  EXPECT_EQ(Checksum(data.data(), data.size()), before);
}

TEST(Checksum, DependsOnTheLength) {
  const std::vector<uint8_t> zeros(300);
  std::set<uint64_t> seen;
  for (size_t n = 0; n <= zeros.size(); ++n) seen.insert(Checksum(zeros.data(), n));
  EXPECT_EQ(seen.size(), zeros.size() + 1);
}

TEST(Checksum, NeedsNoAlignment) {
  std::vector<uint8_t> data(150);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i);
  const uint64_t wanted = Checksum(data.data(), data.size());
  for (size_t shift = 1; shift < 16; ++shift) {
    std::vector<uint8_t> moved(shift);
    moved.insert(moved.end(), data.begin(), data.end());
    EXPECT_EQ(Checksum(moved.data() + shift, data.size()), wanted);
  }
}

// The value is part of the file format: computed by hand from the definition in the header.
TEST(Checksum, IsTheFormatsOnEveryMachine) {
  constexpr uint64_t kPrime = 0x9E3779B97F4A7C15u;
  uint64_t h = 3;
  for (uint64_t lane = 1; lane <= 8; ++lane) {
    const uint64_t word = lane == 1 ? 0x030201u : 0;  // bytes 1 2 3, little endian
    h = (h ^ (((lane * kPrime) ^ word) * kPrime)) * kPrime;
    h ^= h >> 32;
  }
  const uint8_t data[] = {1, 2, 3};
  EXPECT_EQ(Checksum(data, sizeof data), h);
}

}  // namespace
}  // namespace octet
