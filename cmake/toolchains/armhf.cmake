# 32-bit ARM Linux with hardware floating point and NEON: baseline armv7-a.
set(OCTET_CROSS_TRIPLE arm-linux-gnueabihf)
set(OCTET_CROSS_PROCESSOR armv7l)
set(OCTET_CROSS_ARCH armhf)
set(OCTET_CROSS_QEMU qemu-arm)
set(OCTET_CROSS_FLAGS "-march=armv7-a -mfpu=neon -mfloat-abi=hard")
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
