#include "src/passes/unary_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

namespace octet {
namespace {

UnarySpec Spec(const char* op, float in_scale, int32_t in_zero, float out_scale, int32_t out_zero) {
  UnarySpec s;
  s.op = op;
  s.in_scale = in_scale;
  s.in_zero_point = in_zero;
  s.out_scale = out_scale;
  s.out_zero_point = out_zero;
  return s;
}

int8_t At(const uint8_t* table, int x) { return static_cast<int8_t>(table[x & 255]); }

TEST(UnaryTable, FollowsTheRealFunction) {
  const struct {
    const char* op;
    float in_scale;
    int32_t in_zero;
    float out_scale;
    int32_t out_zero;
    double tolerance;  // steps of the output
    double (*f)(double);
  } kCases[] = {
      {"LOGISTIC", 0.05f, 3, 1 / 256.f, -128, 0.51,
       [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"TANH", 0.02f, -7, 1 / 128.f, 0, 0.51, [](double x) { return std::tanh(x); }},
      {"ELU", 0.04f, 10, 0.05f, -100, 0.51, [](double x) { return x < 0 ? std::expm1(x) : x; }},
      {"EXP", 0.02f, 100, 0.01f, -128, 0.51, [](double x) { return std::exp(x); }},
      {"SQRT", 0.1f, -128, 0.03f, -128, 0.51, [](double x) { return std::sqrt(x); }},
      {"RSQRT", 0.1f, -128, 0.03f, -128, 1.01, [](double x) { return 1 / std::sqrt(x); }},
      {"RELU", 0.1f, 5, 0.07f, -128, 0.51, [](double x) { return x < 0 ? 0 : x; }},
      {"RELU6", 0.1f, 0, 0.03f, -128, 0.51, [](double x) { return x < 0   ? 0
                                                                  : x > 6 ? 6
                                                                          : x; }},
      {"RELU_N1_TO_1", 0.1f, 0, 0.01f, 4, 0.51,
       [](double x) { return x < -1  ? -1
                             : x > 1 ? 1
                                     : x; }},
      {"HARD_SWISH", 0.06f, 2, 0.05f, -120, 1.01,
       [](double x) {
         return x * (x < -3 ? 0 : x > 3 ? 6 : x + 3) / 6;
       }},
      {"ABS", 0.1f, 7, 0.06f, -20, 0.51, [](double x) { return std::fabs(x); }},
      {"NEG", 0.1f, 7, 0.1f, -7, 0.51, [](double x) { return -x; }},
      {"QUANTIZE", 0.1f, 7, 0.13f, -20, 0.51, [](double x) { return x; }},
  };
  for (const auto& c : kCases) {
    uint8_t table[256];
    ASSERT_TRUE(UnaryTable(Spec(c.op, c.in_scale, c.in_zero, c.out_scale, c.out_zero), table));
    for (int x = -128; x < 128; ++x) {
      const double real = static_cast<double>(c.in_scale) * (x - c.in_zero);
      double want = c.f(real) / static_cast<double>(c.out_scale) + c.out_zero;
      want = want < -128 ? -128 : want > 127 ? 127 : want;
      EXPECT_NEAR(At(table, x), want, c.tolerance) << c.op << " of " << x;
    }
  }
}

TEST(UnaryTable, LeakyReluTakesSlopesOfEitherSign) {
  for (const float alpha : {0.f, 0.1f, 0.5f, 1.5f, -0.5f}) {
    UnarySpec s = Spec("LEAKY_RELU", 0.1f, 3, 0.1f, -5);
    s.alpha = alpha;
    uint8_t table[256];
    ASSERT_TRUE(UnaryTable(s, table));
    for (int x = -128; x < 128; ++x) {
      double want = (x < 3 ? (x - 3) * static_cast<double>(alpha) : x - 3) - 5;
      want = want < -128 ? -128 : want > 127 ? 127 : want;
      EXPECT_NEAR(At(table, x), want, 0.51) << x;
    }
  }
}

TEST(UnaryTable, Uint8AndInt8TablesAreShiftedCopies) {
  for (const char* op : {"LOGISTIC", "TANH", "RELU", "RELU6", "HARD_SWISH", "QUANTIZE", "ABS"}) {
    UnarySpec s8 = Spec(op, 0.043f, 12, 0.03f, -31);
    UnarySpec u8 = s8;
    u8.in_type = u8.out_type = DType::UINT8;
    u8.in_zero_point += 128;
    u8.out_zero_point += 128;
    uint8_t a[256], b[256];
    ASSERT_TRUE(UnaryTable(s8, a));
    ASSERT_TRUE(UnaryTable(u8, b));
    for (int i = 0; i < 256; ++i) EXPECT_EQ(a[i ^ 0x80] ^ 0x80, b[i]) << op;
  }
}

TEST(UnaryTable, TopBitFlips) {
  UnarySpec s;
  s.op = "UINT8_TO_INT8";
  uint8_t table[256];
  ASSERT_TRUE(UnaryTable(s, table));
  for (int i = 0; i < 256; ++i) EXPECT_EQ(table[i], i ^ 0x80);
  // What the reference's QUANTIZE between the types does for equal scales.
  UnarySpec q = Spec("QUANTIZE", 0.5f, 130, 0.5f, 2);
  q.in_type = DType::UINT8;
  uint8_t other[256];
  ASSERT_TRUE(UnaryTable(q, other));
  EXPECT_EQ(std::memcmp(table, other, 256), 0);
}

TEST(UnaryTable, ExtremeScalesSaturate) {
  const float kScales[] = {
      std::numeric_limits<float>::denorm_min(), 1e-38f, 1e-6f, 1.f, 1e6f, 3e38f};
  for (const char* op : {"LOGISTIC", "TANH", "ELU", "EXP", "SQRT", "RSQRT", "RELU", "RELU6", "ABS",
                         "NEG", "LEAKY_RELU", "HARD_SWISH", "QUANTIZE"}) {
    for (const float in : kScales) {
      for (const float out : kScales) {
        UnarySpec s = Spec(op, in, -128, out, 127);
        s.alpha = -3e38f;
        uint8_t table[256];
        (void)UnaryTable(s, table);  // no undefined behaviour
      }
    }
  }
}

TEST(UnaryTable, RefusesWhatItDoesNotKnow) {
  uint8_t table[256];
  EXPECT_FALSE(UnaryTable(Spec("SIN", 1, 0, 1, 0), table));
  EXPECT_FALSE(UnaryTable(Spec("RELU", 0, 0, 1, 0), table));
  EXPECT_FALSE(UnaryTable(Spec("RELU", 1, 128, 1, 0), table));
  UnarySpec s = Spec("RELU", 1, 0, 1, 0);
  s.out_type = DType::INT16;
  EXPECT_FALSE(UnaryTable(s, table));
}

}  // namespace
}  // namespace octet
