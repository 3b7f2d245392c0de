#include "kernels/common/vector_avx2.h"
#include "kernels/s8_softmax/s8_softmax_vector.inc"
