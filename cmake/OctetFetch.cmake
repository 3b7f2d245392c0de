# OCTET_DEPS=fetch: the libraries from source, each at one commit, whose hash git verifies. Static,
# and part of liboctet.a, so that what is installed needs none of them.
#
# Without a network: -DFETCHCONTENT_SOURCE_DIR_FLATBUFFERS=dir and so on (.._PTHREADPOOL, .._FXDIV,
# .._CPUINFO) name folders with the sources.
include(FetchContent)
include(ExternalProject)

# SOURCE_SUBDIR names a folder that none of them has: they are made available, not yet configured.
macro(octet_fetch name repository commit)
  FetchContent_Declare(${name} GIT_REPOSITORY https://github.com/${repository}
                       GIT_TAG ${commit} SOURCE_SUBDIR not-configured-here)
  FetchContent_MakeAvailable(${name})
endmacro()

# Headers, and flatc, which runs on this machine: built by its own compiler, not by a toolchain file.
octet_fetch(flatbuffers google/flatbuffers 595bf0007ab1929570c7671f091313c8fc20644e)  # v24.3.25
set(OCTET_FLATBUFFERS_INCLUDE "${flatbuffers_SOURCE_DIR}/include")
set(OCTET_FLATC "${CMAKE_BINARY_DIR}/flatc/flatc")
ExternalProject_Add(octet_flatc
  SOURCE_DIR "${flatbuffers_SOURCE_DIR}" BINARY_DIR "${CMAKE_BINARY_DIR}/flatc"
  CMAKE_ARGS -DCMAKE_BUILD_TYPE=Release -DFLATBUFFERS_BUILD_TESTS=OFF -DFLATBUFFERS_BUILD_FLATHASH=OFF
             -DFLATBUFFERS_INSTALL=OFF
  BUILD_COMMAND "${CMAKE_COMMAND}" --build . --target flatc
  BUILD_BYPRODUCTS "${OCTET_FLATC}" INSTALL_COMMAND "")

function(octet_set name value)
  set(${name} "${value}" CACHE INTERNAL "" FORCE)
endfunction()

set(OCTET_FETCHED_OBJECTS)
if(OCTET_WITH_PTHREADPOOL)
  find_package(Threads REQUIRED)
  octet_fetch(fxdiv Maratyszcza/FXdiv 63058eff77e11aa15bf531df5dd34395ec3017c8)
  octet_fetch(pthreadpool Maratyszcza/pthreadpool 560c60d342a76076f0557a3946924c6478470044)
  octet_set(FXDIV_SOURCE_DIR "${fxdiv_SOURCE_DIR}")
  octet_set(FXDIV_BUILD_TESTS OFF)
  octet_set(FXDIV_BUILD_BENCHMARKS OFF)
  octet_set(PTHREADPOOL_LIBRARY_TYPE static)
  octet_set(PTHREADPOOL_BUILD_TESTS OFF)
  octet_set(PTHREADPOOL_BUILD_BENCHMARKS OFF)
  add_subdirectory("${pthreadpool_SOURCE_DIR}" "${pthreadpool_BINARY_DIR}" EXCLUDE_FROM_ALL)
  add_library(octet_pthreadpool INTERFACE)
  target_include_directories(octet_pthreadpool SYSTEM INTERFACE "${pthreadpool_SOURCE_DIR}/include")
  target_link_libraries(octet_pthreadpool INTERFACE Threads::Threads)
  list(APPEND OCTET_FETCHED_OBJECTS $<TARGET_OBJECTS:pthreadpool>)
endif()

if(OCTET_WITH_CPUINFO)
  octet_fetch(cpuinfo pytorch/cpuinfo d6108819d1d41c749b076e250be454c4559cb771)
  octet_set(CPUINFO_LIBRARY_TYPE static)
  foreach(part TOOLS UNIT_TESTS MOCK_TESTS BENCHMARKS PKG_CONFIG)
    octet_set(CPUINFO_BUILD_${part} OFF)
  endforeach()
  octet_set(CPUINFO_LOG_LEVEL error)
  add_subdirectory("${cpuinfo_SOURCE_DIR}" "${cpuinfo_BINARY_DIR}" EXCLUDE_FROM_ALL)
  add_library(octet_cpuinfo INTERFACE)
  target_include_directories(octet_cpuinfo SYSTEM INTERFACE "${cpuinfo_SOURCE_DIR}/include")
  list(APPEND OCTET_FETCHED_OBJECTS $<TARGET_OBJECTS:cpuinfo>)
endif()
