#include "kernels/common/vector_neon.h"
#include "kernels/qs8_prelu/qs8_prelu_vector.inc"
