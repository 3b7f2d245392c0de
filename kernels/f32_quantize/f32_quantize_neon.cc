#if defined(__aarch64__)
#include "kernels/common/vector_neon.h"
#include "kernels/f32_quantize/f32_quantize_vector.inc"
#endif
