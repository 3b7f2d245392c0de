#include "kernels/common/vector_avx2.h"
#include "kernels/s8_maxpool/s8_maxpool_vector.inc"
