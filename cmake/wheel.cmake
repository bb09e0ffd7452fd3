# SPDX-License-Identifier: MIT
# What a wheel needs, whatever the caller's environment and CMake options are set to for the other
# packages that he builds: the files below the prefix that the build backend gave, and modules that
# find the library beside them.

# Each of these would leave files out, name them otherwise, or write paths of the build into them.
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
