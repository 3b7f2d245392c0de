# 64-bit ARM Linux, any CPU: baseline armv8-a. Better kernels are chosen when the program runs.
set(OCTET_CROSS_TRIPLE aarch64-linux-gnu)
set(OCTET_CROSS_PROCESSOR aarch64)
set(OCTET_CROSS_ARCH arm64)
set(OCTET_CROSS_QEMU qemu-aarch64)
set(OCTET_CROSS_FLAGS "-march=armv8-a")
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
