#include "kernels/common/vector_neon.h"
#include "kernels/qs8_mean/qs8_mean_vector.inc"
