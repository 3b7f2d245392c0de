#include "kernels/common/vector_avx512.h"
#include "kernels/s8_softmax/s8_softmax_vector.inc"
