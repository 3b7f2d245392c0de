# What the toolchain files share; they set OCTET_CROSS_TRIPLE, _PROCESSOR, _ARCH, _QEMU, _FLAGS and
# maybe _TUNE. Compilers are Debian's (g++-aarch64-linux-gnu, g++-arm-linux-gnueabihf).
#
# OCTET_SYSROOT holds the target's libraries beyond the C and C++ ones; cmake/sysroot.sh makes it.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${OCTET_CROSS_PROCESSOR})
set(CMAKE_C_COMPILER ${OCTET_CROSS_TRIPLE}-gcc)
set(CMAKE_CXX_COMPILER ${OCTET_CROSS_TRIPLE}-g++)

# -mtune orders instructions and no more: the program still runs on every CPU of the architecture.
if(OCTET_CROSS_TUNE)
  string(APPEND OCTET_CROSS_FLAGS " -mtune=${OCTET_CROSS_TUNE}")
endif()
set(CMAKE_C_FLAGS_INIT "${OCTET_CROSS_FLAGS}")
set(CMAKE_CXX_FLAGS_INIT "${OCTET_CROSS_FLAGS}")

set(OCTET_SYSROOT "${CMAKE_CURRENT_LIST_DIR}/../../build/sysroot/${OCTET_CROSS_ARCH}" CACHE PATH
    "the target's libraries, made by cmake/sysroot.sh")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES OCTET_SYSROOT)
get_filename_component(OCTET_SYSROOT "${OCTET_SYSROOT}" ABSOLUTE)
set(CMAKE_FIND_ROOT_PATH "${OCTET_SYSROOT}" "/usr/${OCTET_CROSS_TRIPLE}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)  # flatc runs here
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${OCTET_SYSROOT}")
set(ENV{PKG_CONFIG_LIBDIR}
    "${OCTET_SYSROOT}/usr/lib/${OCTET_CROSS_TRIPLE}/pkgconfig:${OCTET_SYSROOT}/usr/share/pkgconfig")
# Libraries that libraries of the sysroot need.
set(CMAKE_EXE_LINKER_FLAGS_INIT
    "-Wl,-rpath-link,${OCTET_SYSROOT}/usr/lib/${OCTET_CROSS_TRIPLE}")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "${CMAKE_EXE_LINKER_FLAGS_INIT}")

# Tests run under emulation where qemu-user is there. OCTET_QEMU_CPU is the CPU to pretend; without
# it, the environment's QEMU_CPU, or qemu's own choice.
find_program(OCTET_QEMU ${OCTET_CROSS_QEMU})
if(OCTET_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR "${OCTET_QEMU}" -L "/usr/${OCTET_CROSS_TRIPLE}"
      -E "LD_LIBRARY_PATH=${OCTET_SYSROOT}/usr/lib/${OCTET_CROSS_TRIPLE}")
  if(OCTET_QEMU_CPU)
    list(APPEND CMAKE_CROSSCOMPILING_EMULATOR -cpu "${OCTET_QEMU_CPU}")
  endif()
endif()
