// What the tests of kernel tables share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "kernels/common/table.h"
#include "src/cpu/cpu.h"

namespace octet {

// A heap block of exactly n elements behind a start that is `shift` bytes off alignment, so that
// AddressSanitizer sees any access beyond it.
template <class T>
class Exact {
 public:
  explicit Exact(size_t n, size_t shift = 0) : n_(n) {
    // malloc aligns to 16; whole elements are skipped.
    skip_ = shift % 16 / sizeof(T);
    data_.reset(static_cast<T*>(std::malloc((n + skip_) * sizeof(T) + (n + skip_ == 0))));
    if (data_ == nullptr) std::abort();
  }
  T* get() { return data_.get() + skip_; }
  T& operator[](size_t i) { return get()[i]; }
  size_t size() const { return n_; }
  std::vector<T> vector() { return std::vector<T>(get(), get() + n_); }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  size_t n_, skip_;
  std::unique_ptr<T, Free> data_;
};

template <class T>
void Fill(Exact<T>& block, std::mt19937& rng, int32_t low = std::numeric_limits<T>::min(),
          int32_t high = std::numeric_limits<T>::max()) {
  const uint64_t span = static_cast<uint64_t>(int64_t{high} - low) + 1;
  for (size_t i = 0; i < block.size(); ++i) {
    block[i] = static_cast<T>(low + static_cast<int64_t>(rng() % span));
  }
}

inline int32_t Uniform(std::mt19937& rng, int32_t low, int32_t high) {
  return std::uniform_int_distribution<int32_t>(low, high)(rng);
}
inline float LogUniform(std::mt19937& rng, float low, float high) {
  return std::exp(std::uniform_real_distribution<float>(std::log(low), std::log(high))(rng));
}

// Every pair of int8, for element-wise kernels with two inputs.
struct AllPairs {
  static constexpr size_t kCount = 65536;
  std::vector<int8_t> a = std::vector<int8_t>(kCount), b = a;

  AllPairs() {
    for (size_t i = 0; i < kCount; ++i) {
      a[i] = static_cast<int8_t>(i >> 8);
      b[i] = static_cast<int8_t>(i);
    }
  }
};

// Calls f(row) for every row of a table that this CPU can run.
template <class Row, class F>
void ForEachRunnable(Span<const Row> table, const F& f) {
  const IsaSet isa = DetectIsa();
  for (const Row& row : table) {
    if (!isa.has(row.isa)) continue;
    SCOPED_TRACE(row.name);
    f(row);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

// The table ends in the reference, and best rows come first.
template <class Row>
void ExpectTableInOrder(Span<const Row> table) {
  ASSERT_GT(table.size, 0u);
  EXPECT_EQ(table[table.size - 1].isa, Isa::kScalar);
  for (size_t i = 1; i < table.size; ++i) {
    EXPECT_GE(static_cast<uint32_t>(table[i - 1].isa), static_cast<uint32_t>(table[i].isa));
  }
}

}  // namespace octet
