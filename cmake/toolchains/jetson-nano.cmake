# Jetson Nano: Cortex-A57, no dot product.
set(OCTET_CROSS_TUNE cortex-a57)
include("${CMAKE_CURRENT_LIST_DIR}/aarch64.cmake")
