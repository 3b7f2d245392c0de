#include "kernels/common/vector_neon.h"
#include "kernels/qs8_add/qs8_add_vector.inc"
