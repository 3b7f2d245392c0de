#include "kernels/common/vector_neon.h"
#include "kernels/s8_softmax/s8_softmax_vector.inc"
