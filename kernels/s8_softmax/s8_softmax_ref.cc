#include "kernels/common/fixed_point.h"
#include "kernels/s8_softmax/s8_softmax.h"

namespace octet {
namespace {

constexpr int kSumBits = 12;

template <class Out>
void Softmax(const int32_t* exp, size_t depth, const int8_t* input, size_t vectors, Out* output) {
  constexpr int32_t kLow = std::numeric_limits<Out>::min();
  constexpr int32_t kHigh = std::numeric_limits<Out>::max();
  for (size_t v = 0; v < vectors; ++v, input += depth, output += depth) {
    int32_t max = input[0];
    for (size_t i = 1; i < depth; ++i) max = input[i] > max ? input[i] : max;
    int64_t sum = 0;
    for (size_t i = 0; i < depth; ++i) {
      sum += RoundingDivideByPOT(exp[max - input[i]], kSumBits);
    }
    int bits_over_unit;
    const int32_t scale = S8SoftmaxReciprocal(sum, &bits_over_unit);
    const int32_t exponent = bits_over_unit + 31 - 8 * static_cast<int32_t>(sizeof(Out));
    for (size_t i = 0; i < depth; ++i) {
      const int32_t product = fixed::Mul(scale, exp[max - input[i]]);
      const int32_t y = exponent > 31 ? 0 : RoundingDivideByPOT(product, exponent);
      output[i] = static_cast<Out>(y + kLow > kHigh ? kHigh : y + kLow);
    }
  }
}

}  // namespace

int32_t S8SoftmaxReciprocal(int64_t sum, int* bits_over_unit) {
  // The largest input alone makes 1.0, unless the table is not one of exponentials.
  constexpr int64_t kOne = int64_t{1} << (31 - kSumBits);
  return fixed::Reciprocal(static_cast<int32_t>(Clamp<int64_t>(sum, kOne, fixed::kMax)), kSumBits,
                           bits_over_unit);
}

void S8SoftmaxRef(const int32_t* exp, size_t depth, const int8_t* input, size_t vectors,
                  int8_t* output) {
  Softmax(exp, depth, input, vectors, output);
}

void S8Softmax16Ref(const int32_t* exp, size_t depth, const int8_t* input, size_t vectors,
                    int16_t* output) {
  Softmax(exp, depth, input, vectors, output);
}

}  // namespace octet
