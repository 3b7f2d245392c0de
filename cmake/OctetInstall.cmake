# What `cmake --install` puts where: libraries, headers, the octet command (src/cli), the CMake
# package (find_package(octet)) and the pkg-config file. Everything finds itself relative to its
# own place, so that an installed tree can be moved.
include(CMakePackageConfigHelpers)

set(package "${CMAKE_INSTALL_LIBDIR}/cmake/octet")
# Components are Debian packages (OctetPackage.cmake): runtime, compiler, dev, tools.
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME dev)
install(TARGETS octet octet_static EXPORT octet-targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/octet/octet.h include/octet/octet.hpp
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/octet)
if(OCTET_BUILD_COMPILER)
  install(TARGETS octet_compiler octet_compiler_shared EXPORT octet-targets
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT compiler NAMELINK_COMPONENT dev
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES include/octet/compiler.h include/octet/compiler_c.h
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/octet)
endif()

install(EXPORT octet-targets NAMESPACE octet:: DESTINATION "${package}")
configure_package_config_file(cmake/octet-config.cmake.in
                              "${CMAKE_CURRENT_BINARY_DIR}/octet-config.cmake"
                              INSTALL_DESTINATION "${package}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/octet-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/octet-config.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/octet-config-version.cmake"
        DESTINATION "${package}")

# The shared library needs nothing named; Libs.private is for those who link the static one
# (pkg-config --static).
set(OCTET_PC_PRIVATE "-lm")
if(OCTET_DEPS STREQUAL "fetch")  # they are in it
  string(PREPEND OCTET_PC_PRIVATE "-pthread ")
else()
  if(OCTET_WITH_CPUINFO)
    string(PREPEND OCTET_PC_PRIVATE "-lcpuinfo ")
  endif()
  if(OCTET_WITH_PTHREADPOOL)
    string(PREPEND OCTET_PC_PRIVATE "-lpthreadpool -pthread ")
  endif()
endif()
if(OCTET_XNNPACK)
  string(PREPEND OCTET_PC_PRIVATE "-lXNNPACK ")
endif()
set(pkgconfig "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(OCTET_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH up "/prefix/${pkgconfig}" "/prefix")
  set(OCTET_PC_PREFIX "\${pcfiledir}/${up}")
  string(REGEX REPLACE "/$" "" OCTET_PC_PREFIX "${OCTET_PC_PREFIX}")
endif()
foreach(name LIBDIR INCLUDEDIR)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${name}}")
    set(OCTET_PC_${name} "${CMAKE_INSTALL_${name}}")
  else()
    set(OCTET_PC_${name} "\${prefix}/${CMAKE_INSTALL_${name}}")
  endif()
endforeach()
configure_file(cmake/octet.pc.in "${CMAKE_CURRENT_BINARY_DIR}/octet.pc" @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/octet.pc" DESTINATION "${pkgconfig}")

# What `pip install .` puts into the Python package (pyproject.toml): no links, no versions.
if(SKBUILD)
  install(FILES "$<TARGET_FILE:octet>" RENAME liboctet.so DESTINATION native COMPONENT python)
  install(FILES "$<TARGET_FILE:octet_compiler_shared>" RENAME liboctet_compiler.so
          DESTINATION native COMPONENT python)
  install(PROGRAMS "$<TARGET_FILE:octet_cli>" DESTINATION native COMPONENT python)
endif()
