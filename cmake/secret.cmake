# SPDX-License-Identifier: MIT
# How files are compiled whose functions hold keys and state.
#
# Without optimisation a compiler keeps every value on the stack, and nothing burns those of all
# functions; and link-time optimisation may merge them into functions that nobody burns. So these
# files are compiled alike whatever the type of the build and CFLAGS say. A large frame is an error:
# a draw takes no more of the stack than vgetrandom.h says. Sanitizers and coverage need frames, and
# copies of values, that are not ours: their builds set VGETRANDOM_KEEPS_SECRETS_ON_STACK, and
# vgetrandom_get_info() says so.
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
