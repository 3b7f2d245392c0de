# Jetson Orin: Cortex-A78AE, dot product.
set(OCTET_CROSS_TUNE cortex-a78ae)
include("${CMAKE_CURRENT_LIST_DIR}/aarch64.cmake")
