#include "kernels/common/vector_neon.h"
#include "kernels/wide_binary/wide_binary_vector.inc"
