#include "kernels/common/vector_avx2.h"
#include "kernels/qs8_add/qs8_add_vector.inc"
