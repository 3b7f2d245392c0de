#include "kernels/common/vector_avx512.h"
#include "kernels/f32_quantize/f32_quantize_x86.inc"
