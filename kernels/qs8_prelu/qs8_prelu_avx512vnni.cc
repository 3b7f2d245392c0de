#include "kernels/common/vector_avx512.h"
#include "kernels/qs8_prelu/qs8_prelu_vector.inc"
