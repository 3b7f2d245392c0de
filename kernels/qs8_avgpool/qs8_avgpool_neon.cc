#include "kernels/common/vector_neon.h"
#include "kernels/qs8_avgpool/qs8_avgpool_vector.inc"
