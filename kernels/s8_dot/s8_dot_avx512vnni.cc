#include "kernels/common/vector_avx512.h"
#include "kernels/s8_dot/s8_dot_vector.inc"
