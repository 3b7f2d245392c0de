# Raspberry Pi 5 (64-bit OS): Cortex-A76, dot product.
set(OCTET_CROSS_TUNE cortex-a76)
include("${CMAKE_CURRENT_LIST_DIR}/aarch64.cmake")
