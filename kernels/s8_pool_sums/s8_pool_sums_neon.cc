#include "kernels/common/vector_neon.h"
#include "kernels/s8_pool_sums/s8_pool_sums_vector.inc"
