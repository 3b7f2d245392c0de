#include "kernels/common/vector_neon.h"
#include "kernels/s8_dot/s8_dot_vector.inc"
