#include "kernels/common/vector_avx2.h"
#include "kernels/f32_quantize/f32_quantize_vector.inc"
