#include "src/passes/unary_table.h"

#include <cmath>
#include <limits>

#include "kernels/common/fixed_point.h"
#include "kernels/common/requant.h"

namespace octet {
namespace {

// The output byte of a real-world result in units of the output scale, zero point included.
struct Output {
  int32_t zero_point, low, high;

  int32_t Store(int64_t value) const {
    value += zero_point;
    return static_cast<int32_t>(Clamp<int64_t>(value, low, high));
  }
};

// ---- Operators that the reference evaluates in float (its own tables of 256 entries) -----------

// Transcendental functions go through double: the rounded result is the correctly rounded float in
// all but a few in 2^29 cases, whichever libm computes it.
float Rounded(double x) { return static_cast<float>(x); }

bool FloatFunction(const UnarySpec& s, float x, float* y) {
  const double d = x;
  if (s.op == "LOGISTIC") {
    *y = 1.f / (1.f + Rounded(std::exp(-d)));
  } else if (s.op == "TANH") {
    *y = Rounded(std::tanh(d));
  } else if (s.op == "ELU") {
    *y = x < 0.f ? Rounded(std::exp(d)) - 1.f : x;
  } else if (s.op == "EXP") {
    *y = Rounded(std::exp(d));
  } else if (s.op == "SQRT") {
    *y = x > 0.f ? std::sqrt(x) : 0.f;
  } else {
    return false;
  }
  return true;
}

// Source: TFLite's LUTPopulate: dequantise, transform, divide and round half away from zero, all
// in float.
int32_t FloatEntry(const UnarySpec& s, float y, const Output& out) {
  const float rescaled = std::round(y * (1 / s.out_scale));
  // Saturating before the conversion: infinities, huge quotients and NaN are undefined there.
  const float limited = rescaled == rescaled ? Clamp(rescaled, -65536.f, 65536.f) : 0.f;
  return out.Store(static_cast<int32_t>(limited));
}

// ---- HARD_SWISH --------------------------------------------------------------------------------
// Source: TFLite's reference HardSwish, in 16-bit fixed point.

int16_t Saturate16(int64_t x) { return static_cast<int16_t>(Clamp<int64_t>(x, -32768, 32767)); }

int16_t RoundingDoublingHighMul16(int16_t a, int16_t b) {
  if (a == b && a == -32768) return 32767;
  const int32_t product = int32_t{a} * b;
  const int32_t nudge = product >= 0 ? (1 << 14) : 1 - (1 << 14);
  return static_cast<int16_t>((product + nudge) / (1 << 15));
}

int16_t DoublingHighMul16(int16_t a, int16_t b) {
  if (a == b && a == -32768) return 32767;
  return static_cast<int16_t>(int32_t{a} * b / (1 << 15));
}

int16_t Multiplier16(int32_t m) {
  constexpr int32_t kHalf = 1 << 15;
  if (m >= std::numeric_limits<int32_t>::max() - kHalf) return 32767;
  return static_cast<int16_t>((m + kHalf) >> 16);
}

bool HardSwishTable(const UnarySpec& s, const Output& out, int32_t low, uint8_t* table) {
  const float hires_scale = (1.f / 128.f) * s.in_scale;
  const Multiplier output = QuantizeMultiplier(static_cast<double>(hires_scale / s.out_scale));
  const Multiplier relu = QuantizeMultiplier(static_cast<double>(hires_scale / (3.f / 32768.f)));
  if (output.shift > 0) return false;  // as the reference
  const int16_t output_m = Multiplier16(output.m), relu_m = Multiplier16(relu.m);
  for (int32_t q = low; q < low + 256; ++q) {
    const int16_t x = static_cast<int16_t>((q - s.in_zero_point) * 128);
    const int16_t on_output_scale = RoundingDoublingHighMul16(x, output_m);
    // x / 3 with 1.0 at 32768, saturating; the last bit of a left shift comes after the multiply.
    int16_t gate = x;
    if (relu.shift > 0) gate = Saturate16(int64_t{gate} * (int64_t{1} << (relu.shift - 1)));
    gate = RoundingDoublingHighMul16(gate, relu_m);
    if (relu.shift > 0) gate = Saturate16(int64_t{gate} * 2);
    if (relu.shift < 0) gate = static_cast<int16_t>(RoundingDivideByPOT(gate, -relu.shift));
    gate = static_cast<int16_t>((gate + (1 << 15)) >> 1);
    const int16_t product = DoublingHighMul16(gate, on_output_scale);
    table[q & 255] = static_cast<uint8_t>(out.Store(RoundingDivideByPOT(product, -output.shift)));
  }
  return true;
}

// ---- Operators on centred integers -------------------------------------------------------------

int32_t ClampOf(float bound, const UnarySpec& s, const Output& out) {
  return out.Store(static_cast<int64_t>(Clamp(std::round(bound / s.out_scale), -1e6f, 1e6f)));
}

// The multiplier that the reference takes from a float quotient of scales.
Multiplier FloatRatio(float numerator, float denominator) {
  return QuantizeMultiplier(static_cast<double>(numerator / denominator));
}

bool IntegerTable(const UnarySpec& s, Output out, int32_t low, uint8_t* table) {
  const float ratio_f = s.in_scale / s.out_scale;
  Multiplier q = FloatRatio(s.in_scale, s.out_scale);
  Multiplier q_alpha;
  bool negative_alpha = false;
  enum { kRescale, kLeaky, kAbs, kNeg, kRsqrt } form = kRescale;
  if (s.op == "QUANTIZE") {
    q = QuantizeMultiplier(static_cast<double>(s.in_scale) / static_cast<double>(s.out_scale));
  } else if (s.op == "RELU") {
    out.low = ClampOf(0, s, out);
  } else if (s.op == "RELU6" || s.op == "RELU_N1_TO_1" || s.op == "RELU_0_TO_1") {
    const int32_t act_low = ClampOf(s.op == "RELU_N1_TO_1" ? -1.f : 0.f, s, out);
    const int32_t act_high = ClampOf(s.op == "RELU6" ? 6.f : 1.f, s, out);
    out.low = act_low;
    out.high = act_high;
  } else if (s.op == "LEAKY_RELU") {
    form = kLeaky;
    q_alpha = FloatRatio(s.in_scale * s.alpha, s.out_scale);
    negative_alpha = q_alpha.m < 0;
    if (negative_alpha) q_alpha.m = -q_alpha.m;
  } else if (s.op == "ABS") {
    form = kAbs;
  } else if (s.op == "NEG") {
    form = kNeg;
  } else if (s.op == "RSQRT") {
    form = kRsqrt;
    q = QuantizeMultiplier(1. / static_cast<double>(std::sqrt(s.in_scale) * s.out_scale));
  } else {
    return false;
  }
  if (!std::isfinite(ratio_f)) return false;

  for (int32_t value = low; value < low + 256; ++value) {
    const int32_t x = value - s.in_zero_point;
    int32_t y = 0;
    switch (form) {
      case kRescale:
        y = out.Store(Requantize(x, q));
        break;
      case kLeaky:
        if (x >= 0) {
          y = out.Store(Requantize(x, q));
        } else {
          const int64_t scaled = Requantize(x, q_alpha);
          y = out.Store(negative_alpha ? -scaled : scaled);
        }
        break;
      case kAbs:
        y = out.Store(s.in_scale == s.out_scale ? std::abs(x) : Requantize(std::abs(x), q));
        break;
      case kNeg:
        y = out.Store(s.in_scale == s.out_scale ? -x : Requantize(-x, q));
        break;
      case kRsqrt:
        if (x <= 0) {
          // The reference stores the largest value for zero and fails on negative ones.
          y = out.high;
        } else {
          Multiplier inverse = fixed::InverseSqrt(x);
          inverse.shift += 20;
          const int32_t shift = q.shift - 20;
          y = out.Store(Requantize(Requantize(1, inverse), {q.m, shift < -31 ? -31 : shift}));
        }
        break;
    }
    table[value & 255] = static_cast<uint8_t>(y);
  }
  return true;
}

}  // namespace

bool UnaryTable(const UnarySpec& s, uint8_t table[256]) {
  if (s.op == "UINT8_TO_INT8" || s.op == "INT8_TO_UINT8") {
    for (int i = 0; i < 256; ++i) table[i] = static_cast<uint8_t>(i ^ 0x80);
    return true;
  }
  const auto is_8_bit = [](DType t) { return t == DType::INT8 || t == DType::UINT8; };
  if (!is_8_bit(s.in_type) || !is_8_bit(s.out_type)) return false;
  if (!(s.in_scale > 0) || !(s.out_scale > 0)) return false;
  const int32_t low = s.in_type == DType::INT8 ? -128 : 0;
  const int32_t out_low = s.out_type == DType::INT8 ? -128 : 0;
  if (s.in_zero_point < low || s.in_zero_point > low + 255) return false;
  if (s.out_zero_point < out_low || s.out_zero_point > out_low + 255) return false;
  const Output out{s.out_zero_point, out_low, out_low + 255};

  float y = 0;
  if (FloatFunction(s, 0, &y)) {
    for (int32_t value = low; value < low + 256; ++value) {
      FloatFunction(s, s.in_scale * static_cast<float>(value - s.in_zero_point), &y);
      table[value & 255] = static_cast<uint8_t>(FloatEntry(s, y, out));
    }
    return true;
  }
  if (s.op == "HARD_SWISH") return HardSwishTable(s, out, low, table);
  return IntegerTable(s, out, low, table);
}

}  // namespace octet
