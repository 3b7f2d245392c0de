#include "kernels/common/vector_avx512.h"
#include "kernels/x8_minmax/x8_minmax_vector.inc"
