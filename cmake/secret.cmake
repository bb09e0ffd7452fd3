# SPDX-License-Identifier: MIT
# How to compile the files whose functions hold keys and state.
#
# Unoptimised code keeps every value on the stack, where not every function burns it, and link-time
# optimisation may merge these functions into others that burn nothing. So these files get the same
# flags in every build type and with any CFLAGS. A large frame is an error, because a draw may not
# take more stack than vgetrandom.h says. Sanitizers and coverage add frames and copies of values of
# their own: their builds set VGETRANDOM_KEEPS_SECRETS_ON_STACK, and vgetrandom_get_info() says so.
function(compile_secret)
  if(VGETRANDOM_KEEPS_SECRETS_ON_STACK)
    return()
  endif()
  if(CMAKE_C_COMPILER_ID MATCHES Clang)
    set(limit "-Wframe-larger-than=1024;-Werror=frame-larger-than")
  else()
    set(limit "-Werror=frame-larger-than=1024")
  endif()
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "-O2;-fno-lto;${limit}")
endfunction()

if(VGETRANDOM_KEEPS_SECRETS_ON_STACK)
  add_compile_definitions(VGETRANDOM_KEEPS_SECRETS_ON_STACK)
endif()
