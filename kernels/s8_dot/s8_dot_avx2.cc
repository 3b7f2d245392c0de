#include "kernels/common/vector_avx2.h"
#include "kernels/s8_dot/s8_dot_vector.inc"
