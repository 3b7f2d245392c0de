# Raspberry Pi 4, 400 (64-bit OS): Cortex-A72, no dot product.
set(OCTET_CROSS_TUNE cortex-a72)
include("${CMAKE_CURRENT_LIST_DIR}/aarch64.cmake")
