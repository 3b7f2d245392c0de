#include "kernels/common/vector_neon.h"
#include "kernels/s8_maxpool/s8_maxpool_vector.inc"
