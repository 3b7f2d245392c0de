#include "kernels/common/vector_avx2.h"
#define OCTET_QS8_ADD_RUN Qs8AddAvx2
#include "kernels/qs8_add/qs8_add_x86.inc"
