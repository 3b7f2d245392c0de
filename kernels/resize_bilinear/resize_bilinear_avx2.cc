#include "kernels/common/vector_avx2.h"
#include "kernels/resize_bilinear/resize_bilinear_vector.inc"
