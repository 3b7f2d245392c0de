# Raspberry Pi 3, Zero 2 W (64-bit OS): Cortex-A53, no dot product.
set(OCTET_CROSS_TUNE cortex-a53)
include("${CMAKE_CURRENT_LIST_DIR}/aarch64.cmake")
