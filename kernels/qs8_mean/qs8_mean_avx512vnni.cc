#include "kernels/common/vector_avx512.h"
#include "kernels/qs8_mean/qs8_mean_vector.inc"
