#include "kernels/common/vector_avx512.h"
#include "kernels/s8_pool_sums/s8_pool_sums_vector.inc"
