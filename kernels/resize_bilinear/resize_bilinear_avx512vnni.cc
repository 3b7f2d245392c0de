#include "kernels/common/vector_avx512.h"
#include "kernels/resize_bilinear/resize_bilinear_x86.inc"
