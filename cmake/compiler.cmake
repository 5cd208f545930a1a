# Warnings, hardening and sanitizers. Each flag is probed, because gcc 12 and clang 14 lack some.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)

add_library(airgate_flags INTERFACE)
target_compile_definitions(airgate_flags INTERFACE _GNU_SOURCE AIRGATE_VERSION="${PROJECT_VERSION}")

function(airgate_add_flag flag)
  string(MAKE_C_IDENTIFIER "have${flag}" have)
  check_c_compiler_flag("-Werror ${flag}" ${have})
  if(${have})
    target_compile_options(airgate_flags INTERFACE ${flag})
  endif()
endfunction()

function(airgate_add_link_flag flag)
  string(MAKE_C_IDENTIFIER "havelink${flag}" have)
  check_linker_flag(C "${flag}" ${have})
  if(${have})
    target_link_options(airgate_flags INTERFACE ${flag})
  endif()
endfunction()

foreach(flag
    -Wall -Wextra -Wconversion -Wsign-conversion -Wformat=2 -Wimplicit-fallthrough -Wvla -Wshadow -Wpointer-arith
    -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wcast-qual -Wwrite-strings -Wnull-dereference
    -Werror=implicit -Werror=int-conversion -Werror=format-security -Werror=incompatible-pointer-types
    -fno-strict-aliasing -fno-strict-overflow -fno-delete-null-pointer-checks
    -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero -fstrict-flex-arrays=3
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
  airgate_add_flag(${flag})
endforeach()
# snprintf is used where a message may be cut; whether gcc notices depends on the optimisation level.
airgate_add_flag(-Wno-format-truncation)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  airgate_add_flag(-fcf-protection=full)
  # The oldest CPU we build for: SSE4.2 and POPCNT (x86-64-v2), every server since 2010.
  airgate_add_flag(-march=x86-64-v2)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  airgate_add_flag(-mbranch-protection=standard)
endif()
foreach(flag -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen -Wl,--as-needed)
  airgate_add_link_flag(${flag})
endforeach()

if(AIRGATE_WARNINGS_AS_ERRORS)
  target_compile_options(airgate_flags INTERFACE -Werror)
endif()

if(AIRGATE_SANITIZE)
  target_compile_options(airgate_flags INTERFACE -fsanitize=${AIRGATE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g)
  target_link_options(airgate_flags INTERFACE -fsanitize=${AIRGATE_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  # Level 3 where the compiler has it, else 2. Not with sanitizers, which replace the same functions.
  check_c_compiler_flag("-Werror -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3" have_fortify_3)
  if(have_fortify_3)
    target_compile_options(airgate_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  else()
    target_compile_options(airgate_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  endif()
endif()
