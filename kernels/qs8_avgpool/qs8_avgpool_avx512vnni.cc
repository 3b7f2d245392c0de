#include "kernels/common/vector_avx512.h"
#include "kernels/qs8_avgpool/qs8_avgpool_vector.inc"
