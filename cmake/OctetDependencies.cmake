# Dependencies: from the system (docs/building.md lists the Debian packages), or with
# -DOCTET_DEPS=fetch built from sources that CMake downloads, for toolchains that have none.
# Either way this gives OCTET_FLATBUFFERS_INCLUDE, OCTET_FLATC, and, where they are wanted, the
# targets octet_pthreadpool and octet_cpuinfo.
if(OCTET_DEPS STREQUAL "fetch")
  include(OctetFetch)
  return()
elseif(NOT OCTET_DEPS STREQUAL "system")
  message(FATAL_ERROR "OCTET_DEPS is \"${OCTET_DEPS}\"; it may be system or fetch")
endif()

# FlatBuffers 2.0.8 spells its config FlatBuffers, newer releases flatbuffers.
find_package(FlatBuffers CONFIG QUIET)
if(NOT FlatBuffers_FOUND)
  find_package(flatbuffers CONFIG QUIET)
endif()
find_path(OCTET_FLATBUFFERS_INCLUDE flatbuffers/flatbuffers.h REQUIRED)
find_program(OCTET_FLATC flatc REQUIRED)

if(OCTET_WITH_PTHREADPOOL)
  find_package(Threads REQUIRED)
  find_path(OCTET_PTHREADPOOL_INCLUDE pthreadpool.h REQUIRED)
  find_library(OCTET_PTHREADPOOL_LIBRARY pthreadpool REQUIRED)
  add_library(octet_pthreadpool INTERFACE)
  target_include_directories(octet_pthreadpool SYSTEM INTERFACE ${OCTET_PTHREADPOOL_INCLUDE})
  target_link_libraries(octet_pthreadpool INTERFACE ${OCTET_PTHREADPOOL_LIBRARY} Threads::Threads)
endif()

if(OCTET_WITH_CPUINFO)
  # By pkg-config: the CMake config of Debian 12's cpuinfo is broken.
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(OCTET_CPUINFO REQUIRED IMPORTED_TARGET libcpuinfo)
  add_library(octet_cpuinfo INTERFACE)
  target_link_libraries(octet_cpuinfo INTERFACE PkgConfig::OCTET_CPUINFO)
endif()

if(OCTET_XNNPACK)
  find_path(OCTET_XNNPACK_INCLUDE xnnpack.h REQUIRED)
  find_library(OCTET_XNNPACK_LIBRARY XNNPACK REQUIRED)
  add_library(octet_xnnpack INTERFACE)
  target_include_directories(octet_xnnpack SYSTEM INTERFACE ${OCTET_XNNPACK_INCLUDE})
  target_link_libraries(octet_xnnpack INTERFACE ${OCTET_XNNPACK_LIBRARY})
endif()

# ONNX models are protobuf messages; without its library and compiler they are refused by name.
option(OCTET_ONNX "read ONNX models, if protobuf is there" ON)
if(CMAKE_CROSSCOMPILING)
  set(OCTET_ONNX OFF)  # what pkg-config finds may be the build machine's
endif()
if(OCTET_ONNX AND OCTET_BUILD_COMPILER)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(OCTET_PROTOBUF QUIET IMPORTED_TARGET protobuf-lite)
  find_program(OCTET_PROTOC protoc)
  if(NOT OCTET_PROTOBUF_FOUND OR NOT OCTET_PROTOC)
    message(STATUS "protobuf is not here: ONNX models will not be read")
    set(OCTET_ONNX OFF)
  endif()
endif()
