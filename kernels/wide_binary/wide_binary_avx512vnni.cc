#include "kernels/common/vector_avx512.h"
#include "kernels/wide_binary/wide_binary_vector.inc"
