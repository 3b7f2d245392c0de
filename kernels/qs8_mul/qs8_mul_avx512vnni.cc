#include "kernels/common/vector_avx512.h"
#include "kernels/qs8_mul/qs8_mul_vector.inc"
