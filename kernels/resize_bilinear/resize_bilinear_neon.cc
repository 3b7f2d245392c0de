#if defined(__aarch64__)
#include "kernels/common/vector_neon.h"
#include "kernels/resize_bilinear/resize_bilinear_vector.inc"
#endif
