# Raspberry Pi 2, 3, 4 with a 32-bit OS: NEON.
set(OCTET_CROSS_TUNE cortex-a53)
include("${CMAKE_CURRENT_LIST_DIR}/armhf.cmake")
