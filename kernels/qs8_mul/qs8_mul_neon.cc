#include "kernels/common/vector_neon.h"
#include "kernels/qs8_mul/qs8_mul_vector.inc"
