// The vector requantisation of x86 against the integer formula: around every threshold of many
// channels, at random, and at the ends of the range.
#include "kernels/common/table.h"

#ifdef OCTET_ARCH_X86
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/common/requant.h"
#include "kernels/common/requant_fixed.h"
#include "kernels/common/x86_intrinsics.h"

// The helpers are for files with instruction-set flags; here functions get them one by one.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512bw"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512bw")
#endif
#include "kernels/common/requant_avx2.h"
#include "kernels/common/requant_avx512.h"

namespace octet {
namespace {

// One channel, its accumulators, and what the vector code makes of each: 16.16, before the doubtful
// ones are computed again; and the integer form.
struct Results {
  std::vector<int32_t> relu, with_sign, integer;
};

void Run512(const RequantFixedChannel& c, const Multiplier& q, const std::vector<int32_t>& acc,
            Results* r) {
  for (size_t i = 0; i < acc.size(); i += 16) {
    const __m512i a = _mm512_loadu_si512(&acc[i]);
    _mm512_storeu_si512(&r->relu[i],
                        RequantRelu512(a, _mm512_set1_ps(c.scale), _mm512_set1_ps(c.offset_relu)));
    _mm512_storeu_si512(&r->with_sign[i],
                        RequantSigned512(a, _mm512_set1_ps(c.scale), _mm512_set1_ps(c.bias),
                                         _mm512_set1_epi32(static_cast<int32_t>(c.offset))));
    _mm512_storeu_si512(&r->integer[i],
                        RequantInteger512(a, _mm512_set1_epi32(q.m), _mm512_set1_epi32(q.shift)));
  }
}

void Run256(const RequantFixedChannel& c, const Multiplier& q, const std::vector<int32_t>& acc,
            Results* r) {
  for (size_t i = 0; i < acc.size(); i += 8) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(&acc[i]));
    const auto store = [i](std::vector<int32_t>& to, __m256i v) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(&to[i]), v);
    };
    store(r->relu, RequantRelu256(a, _mm256_set1_ps(c.scale), _mm256_set1_ps(c.offset_relu)));
    store(r->with_sign,
          RequantSigned256(a, _mm256_set1_ps(c.scale), _mm256_set1_ps(c.offset + c.bias),
                           _mm256_set1_ps(c.offset - c.bias)));
    store(r->integer, RequantInteger256(a, _mm256_set1_epi32(q.m), _mm256_set1_epi32(q.shift)));
  }
}

// Do the running minima see what the lower halves say?
bool Doubtful512(const int32_t* y) {
  return RequantIsDoubtful512(RequantDoubt512(RequantDoubtStart512(), _mm512_loadu_si512(y)));
}
bool Doubtful256(const int32_t* y) {
  const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(y));
  const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(y + 8));
  return RequantIsDoubtful256(_mm256_min_epu16(a, b));
}
void Halves512(const int32_t* y, int16_t* to) {
  _mm512_storeu_si512(to, RequantHalves512(_mm512_loadu_si512(y), _mm512_loadu_si512(y + 16)));
}
void Halves256(const int32_t* y, int16_t* to) {
  const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(y));
  const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(y + 8));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), RequantHalves256(a, b));
}

}  // namespace
}  // namespace octet
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace octet {
namespace {

uint32_t LowHalf(int32_t y) { return static_cast<uint32_t>(y) & 0xFFFF; }

struct Counts {
  int64_t checked = 0, doubtful = 0;
};

void Check(bool wide, const Multiplier& q, int32_t zero_point, std::vector<int32_t> acc,
           Counts* counts) {
  acc.resize((acc.size() + 31) / 32 * 32, 0);
  const RequantFixedChannel c = MakeRequantFixedChannel(q, zero_point);
  Results r;
  for (auto* v : {&r.relu, &r.with_sign, &r.integer}) v->resize(acc.size());
  wide ? Run512(c, q, acc, &r) : Run256(c, q, acc, &r);
  for (size_t i = 0; i < acc.size(); ++i) {
    const int32_t scaled = Requantize(acc[i], q);
    ASSERT_EQ(r.integer[i], scaled) << acc[i] << " * " << q.m << " shift " << q.shift;
    if (!RequantFixedHolds(q, std::abs(int64_t{acc[i]}))) continue;
    const int64_t want = int64_t{scaled} + zero_point;
    ++counts->checked;
    counts->doubtful += LowHalf(r.with_sign[i]) < kRequantFixedDoubt;
    if (LowHalf(r.with_sign[i]) >= kRequantFixedDoubt) {
      ASSERT_EQ(Clamp<int64_t>(r.with_sign[i] >> 16, -128, 127), Clamp<int64_t>(want, -128, 127))
          << "signed " << acc[i] << " * " << q.m << " shift " << q.shift << " + " << zero_point;
    }
    if (LowHalf(r.relu[i]) >= kRequantFixedDoubt) {
      ASSERT_EQ(Clamp<int64_t>(r.relu[i] >> 16, zero_point, 127),
                Clamp<int64_t>(want, zero_point, 127))
          << "relu " << acc[i] << " * " << q.m << " shift " << q.shift << " + " << zero_point;
    }
  }
  // Channels that know but one accumulator.
  for (size_t i = 0; i < acc.size(); i += 97) {
    RequantFixedChannel one;
    ASSERT_EQ(FitRequantFixed(q, zero_point, acc[i], acc[i], &one), q.shift <= 0);
    if (q.shift > 0) continue;
    const std::vector<int32_t> same(16, acc[i]);
    Results constant;
    for (auto* v : {&constant.relu, &constant.with_sign, &constant.integer}) v->resize(16);
    wide ? Run512(one, q, same, &constant) : Run256(one, q, same, &constant);
    const int64_t want = int64_t{Requantize(acc[i], q)} + zero_point;
    const auto check = [&](int32_t y, int32_t low) {
      if (one.scale == 0) {
        ASSERT_GE(LowHalf(y), kRequantFixedDoubt);
      }
      if (LowHalf(y) < kRequantFixedDoubt) return;
      ASSERT_EQ(Clamp<int64_t>(y >> 16, low, 127), Clamp<int64_t>(want, low, 127))
          << acc[i] << " * " << q.m << " shift " << q.shift << " + " << zero_point;
    };
    ASSERT_NO_FATAL_FAILURE(check(constant.relu[0], zero_point));
    ASSERT_NO_FATAL_FAILURE(check(constant.with_sign[0], -128));
  }
  for (size_t i = 0; i + 32 <= acc.size(); i += 32) {
    const int32_t* y = &r.with_sign[i];
    const size_t lanes = wide ? 16 : 8;
    int16_t halves[32];
    bool doubtful = false;
    for (size_t j = 0; j < 16; ++j) doubtful |= LowHalf(y[j]) < kRequantFixedDoubt;
    ASSERT_EQ(wide ? Doubtful512(y) : Doubtful256(y), doubtful);
    wide ? Halves512(y, halves) : Halves256(y, halves);
    for (size_t j = 0; j < lanes; ++j) {
      ASSERT_EQ(halves[2 * j], y[j] >> 16);
      ASSERT_EQ(halves[2 * j + 1], y[lanes + j] >> 16);
    }
  }
}

void Sweep(bool wide) {
  std::mt19937 random(20261123);
  const auto uniform = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  Counts counts;
  for (int round = 0; round < 1500; ++round) {
    Multiplier q{static_cast<int32_t>(uniform(int64_t{1} << 30, (int64_t{1} << 31) - 1)),
                 static_cast<int32_t>(-(round % 34) + 2)};
    if (round % 10 == 1) q.m = 1 << 30;
    if (round % 10 == 2) q.m = INT32_MAX;
    if (round % 50 == 3) q = {0, 0};
    if (round % 50 == 4) q = {INT32_MAX, 30};
    const int32_t zero_point = round % 4 == 0   ? -128
                               : round % 4 == 1 ? 0
                                                : static_cast<int32_t>(uniform(-128, 127));
    std::vector<int32_t> acc = {0, 1, -1, INT32_MAX, INT32_MIN, INT32_MIN + 1};
    if (q.m != 0) {
      const double step = std::ldexp(1.0 / q.m, 31 - q.shift);
      for (int32_t k = -258; k <= 257; ++k) {
        const double threshold = (k - 0.5) * step;
        if (std::abs(threshold) > 2147483000.0) continue;
        const int32_t near = static_cast<int32_t>(threshold);
        for (int32_t d = -3; d <= 3; ++d) acc.push_back(near + d);
      }
    }
    for (int i = 0; i < 2000; ++i) {
      const int64_t reach = int64_t{1} << uniform(1, 31);
      acc.push_back(static_cast<int32_t>(uniform(-reach, reach - 1)));
    }
    ASSERT_NO_FATAL_FAILURE(Check(wide, q, zero_point, acc, &counts));
  }
  EXPECT_GT(counts.doubtful, 0);
  EXPECT_LT(counts.doubtful, counts.checked / 2);  // half of them were put near ties
}

TEST(RequantX86, Avx2) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) GTEST_SKIP();
  Sweep(false);
}

TEST(RequantX86, Avx512) {
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw")) GTEST_SKIP();
  Sweep(true);
}

}  // namespace
}  // namespace octet
#endif  // OCTET_ARCH_X86
