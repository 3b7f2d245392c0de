#include "kernels/common/vector_neon.h"
#include "kernels/x8_minmax/x8_minmax_vector.inc"
