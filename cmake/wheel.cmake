# SPDX-License-Identifier: MIT
# Makes a complete wheel, whatever the environment and CMake options are set to for other packages:
# all files are below the build backend's prefix, and the modules find the library beside them.

# Other values would leave files out, rename them, or write paths of the build into them; and each
# module would have a static library's generators of its own.
set(BUILD_SHARED_LIBS ON)
set(CMAKE_SKIP_RPATH OFF)
set(CMAKE_SKIP_INSTALL_RPATH OFF)
set(CMAKE_SKIP_INSTALL_RULES OFF)
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH OFF)
set(CMAKE_INSTALL_REMOVE_ENVIRONMENT_RPATH ON)
foreach(config RELEASE DEBUG RELWITHDEBINFO MINSIZEREL)
  set(CMAKE_${config}_POSTFIX "")
endforeach()

# DESTDIR puts every file elsewhere; CMAKE_INSTALL_MODE makes links into the build directory, which
# is gone when the wheel is made.
install(CODE "unset(ENV{DESTDIR})\nunset(ENV{CMAKE_INSTALL_MODE})")
