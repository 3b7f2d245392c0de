#include "kernels/common/vector_avx512.h"
#define OCTET_QS8_ADD_RUN Qs8AddAvx512Vnni
#include "kernels/qs8_add/qs8_add_x86.inc"
