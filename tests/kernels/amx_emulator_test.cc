// The emulator of AMX against plain loops; on a CPU with AMX, the CPU against them.
#include "tests/support/amx_emulator.h"

#include <gtest/gtest.h>

#include "kernels/common/table.h"

#if defined(OCTET_ARCH_X86) && defined(__linux__)

#include <csignal>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "kernels/common/x86_intrinsics.h"

#define OCTET_AMX __attribute__((target("amx-tile,amx-int8"), noinline))

namespace octet::test {
namespace {

struct alignas(64) Config {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  void Set(int tile, int tile_rows, int tile_row_bytes) {
    rows[tile] = static_cast<uint8_t>(tile_rows);
    row_bytes[tile] = static_cast<uint16_t>(tile_row_bytes);
  }
};

OCTET_AMX void Load(const Config& c) { __asm__ volatile("ldtilecfg %0" : : "m"(c)); }
OCTET_AMX void Save(Config* c) { __asm__ volatile("sttilecfg %0" : "=m"(*c)); }
OCTET_AMX void Release() { __asm__ volatile("tilerelease" : : : "memory"); }

// Tile 0 = c + a * b, by way of every form of address that assemblers make.
OCTET_AMX void Product(int form, int32_t* c, size_t c_stride, const uint8_t* a, size_t a_stride,
                       const uint8_t* b, size_t b_stride) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm0" : : "r"(c), "r"(c_stride) : "memory");
  __asm__ volatile("tileloadd 5(%0,%1,1), %%tmm1" : : "r"(a - 5), "r"(a_stride) : "memory");
  __asm__ volatile("tileloaddt1 -1000(%0,%1,2), %%tmm7"
                   :
                   : "r"(b + 1000), "r"(b_stride / 2)
                   : "memory");
  switch (form) {
    case 0:
      __asm__ volatile("tdpbssd %%tmm7, %%tmm1, %%tmm0" : : : "memory");
      break;
    case 1:
      __asm__ volatile("tdpbsud %%tmm7, %%tmm1, %%tmm0" : : : "memory");
      break;
    case 2:
      __asm__ volatile("tdpbusd %%tmm7, %%tmm1, %%tmm0" : : : "memory");
      break;
    default:
      __asm__ volatile("tdpbuud %%tmm7, %%tmm1, %%tmm0" : : : "memory");
  }
  __asm__ volatile(
      "mov %0, %%r13\n\t"
      "mov %1, %%r12\n\t"
      "tilestored %%tmm0, (%%r13,%%r12,1)"
      :
      : "r"(c), "r"(c_stride)
      : "memory", "r12", "r13");
}

OCTET_AMX void StoreZero(int32_t* to) {
  __asm__ volatile(
      "tilezero %%tmm0\n\t"
      "tilestored %%tmm0, (%0,%1,1)"
      :
      : "r"(to), "r"(size_t{64})
      : "memory");
}

class Amx : public testing::Test {
 protected:
  void SetUp() override {
    if (!TestIsa().has(Isa::kAmx)) GTEST_SKIP() << "neither AMX nor AVX-512 VNNI";
  }
  void TearDown() override {
    if (TestIsa().has(Isa::kAmx)) Release();
  }
};

int Value(int byte, bool is_signed) { return is_signed ? static_cast<int8_t>(byte) : byte; }

TEST_F(Amx, Products) {
  std::mt19937 rng(1);
  for (int i = 0; i < 400; ++i) {
    const int form = i % 4;
    const bool a_signed = form < 2, b_signed = form == 0 || form == 2;
    const int m = 1 + static_cast<int>(rng() % 16), n = 1 + static_cast<int>(rng() % 16);
    const int k = 1 + static_cast<int>(rng() % 16);  // groups of four
    Config config;
    config.Set(0, m, 4 * n);
    config.Set(1, m, 4 * k);
    config.Set(7, k, 4 * n);
    Load(config);
    // Rows that overlap, as those of a convolution's windows do.
    const size_t a_stride = 1 + rng() % 64, b_stride = 64 + 2 * (rng() % 8);
    const size_t c_stride = 64 + 4 * (rng() % 8);
    std::vector<uint8_t> a(15 * a_stride + 64), b(15 * b_stride + 64);
    for (uint8_t& v : a) v = static_cast<uint8_t>(rng());
    for (uint8_t& v : b) v = static_cast<uint8_t>(rng());
    std::vector<int32_t> c(16 * c_stride / 4);
    for (int32_t& v : c) v = static_cast<int32_t>(rng());
    std::vector<int32_t> want = c;
    for (int y = 0; y < m; ++y) {
      for (int x = 0; x < n; ++x) {
        uint32_t sum = 0;
        for (int z = 0; z < 4 * k; ++z) {
          const int left = Value(a[static_cast<size_t>(y) * a_stride + z], a_signed);
          const int right =
              Value(b[static_cast<size_t>(z / 4) * b_stride + 4 * x + z % 4], b_signed);
          sum += static_cast<uint32_t>(left * right);
        }
        int32_t& to = want[static_cast<size_t>(y) * c_stride / 4 + x];
        to = static_cast<int32_t>(static_cast<uint32_t>(to) + sum);
      }
    }
    Product(form, c.data(), c_stride, a.data(), a_stride, b.data(), b_stride);
    ASSERT_EQ(c, want) << "form " << form << ", " << m << " x " << n << " x " << 4 * k;
  }
}

TEST_F(Amx, ConfigurationIsKeptAndGivenBack) {
  Config config, saved;
  config.Set(0, 3, 20);
  config.Set(5, 16, 64);
  Load(config);
  Save(&saved);
  EXPECT_EQ(std::memcmp(&config, &saved, sizeof config), 0);
  Release();
  Save(&saved);
  const Config none = [] {
    Config c;
    c.palette = 0;
    return c;
  }();
  EXPECT_EQ(std::memcmp(&none, &saved, sizeof none), 0);
}

TEST_F(Amx, ThreadsHaveTheirOwn) {
  Config config;
  config.Set(0, 16, 64);
  Load(config);
  std::thread([] {
    Config here;
    Save(&here);
    EXPECT_EQ(here.palette, 0);
    here = Config();
    here.Set(0, 2, 8);
    Load(here);
    Release();
  }).join();
  std::vector<int32_t> zero(16 * 16, 7);
  StoreZero(zero.data());
  EXPECT_EQ(zero, std::vector<int32_t>(16 * 16, 0));
}

#if defined(GTEST_HAS_DEATH_TEST) && !defined(__SANITIZE_THREAD__)
TEST_F(Amx, TilesMustBeConfigured) {
  Release();
  std::vector<int32_t> zero(16 * 16);
  EXPECT_EXIT(StoreZero(zero.data()), testing::KilledBySignal(SIGILL), "");
}
#endif

}  // namespace
}  // namespace octet::test

#endif
