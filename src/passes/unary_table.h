// Tables of unary operators on 8-bit values: what the LUT operator runs.
#pragma once

#include <cstdint>
#include <string>

#include "src/ops/op.h"

namespace octet {

struct UnarySpec {
  // TensorFlow Lite's name: LOGISTIC, TANH, RELU, RELU6, RELU_N1_TO_1, RELU_0_TO_1, LEAKY_RELU,
  // HARD_SWISH, ELU, EXP, ABS, NEG, SQRT, RSQRT, QUANTIZE (8 bits to 8 bits); and UINT8_TO_INT8 and
  // INT8_TO_UINT8, which flip the top bit and need no quantisation.
  std::string op;
  float alpha = 0;  // LEAKY_RELU
  DType in_type = DType::INT8;
  DType out_type = DType::INT8;
  float in_scale = 1;
  int32_t in_zero_point = 0;
  float out_scale = 1;
  int32_t out_zero_point = 0;
  // Values and zero points are those of a uint8 model minus 128. Every formula here subtracts the
  // zero point first and adds the other one last, so that both forms return the same bytes.
  bool legacy_u8 = false;
};

// Fills table[input byte as unsigned] = output byte, with what TensorFlow Lite's reference kernel
// returns. False: no such operator, types other than INT8 and UINT8, or scales that the reference
// cannot work with.
bool UnaryTable(const UnarySpec& spec, uint8_t table[256]);

}  // namespace octet
