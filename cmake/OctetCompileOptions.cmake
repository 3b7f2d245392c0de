# Flags that everything of Octet is compiled with.
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 99)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

add_library(octet_flags INTERFACE)
target_include_directories(octet_flags INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
target_compile_options(octet_flags INTERFACE
  -Wall -Wextra -Wshadow -Wno-unused-parameter -Wno-missing-field-initializers
  # a*b+c must not become one rounding on some CPUs and two on others: same bytes everywhere.
  -ffp-contract=off
  $<$<BOOL:${OCTET_WERROR}>:-Werror>)
# gcc notes wherever it passes an argument that gcc 7.1 or 10.1 changed how; nothing here was made by
# an older one.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(arm|aarch64)")
  target_compile_options(octet_flags INTERFACE -Wno-psabi)
endif()
# Alignment of constants in the file (schema/octet.fbs).
target_compile_definitions(octet_flags INTERFACE FLATBUFFERS_MAX_ALIGNMENT=64)
if(OCTET_SANITIZE)
  target_compile_options(octet_flags INTERFACE
    -fsanitize=${OCTET_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(octet_flags INTERFACE -fsanitize=${OCTET_SANITIZE})
endif()
if(OCTET_BUILD_FUZZERS)
  target_compile_options(octet_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# What ships in an app: small, no exceptions, no RTTI.
add_library(octet_runtime_flags INTERFACE)
target_link_libraries(octet_runtime_flags INTERFACE octet_flags)
target_compile_options(octet_runtime_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>
  $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>
  -ffunction-sections -fdata-sections)
