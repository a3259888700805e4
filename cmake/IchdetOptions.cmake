# pip builds a wheel (pyproject.toml).
set(ichdet_developing ${PROJECT_IS_TOP_LEVEL})
if(SKBUILD)
  set(ichdet_developing OFF)
endif()
option(ICHDET_WITH_TORCH "Build nn, models and pipeline on LibTorch" ON)
set(ICHDET_WITH_OPENVINO AUTO CACHE STRING "Build OpenVINO's plug-in: AUTO (where OpenVINO is found), ON, OFF")
option(ICHDET_BUILD_TESTS "Build the C++ tests" ${ichdet_developing})
option(ICHDET_BUILD_EXAMPLES "Build the examples" ${ichdet_developing})
option(ICHDET_BUILD_BENCHMARKS "Build the benchmarks" OFF)
option(ICHDET_BUILD_CLI "Build the command line (needs ICHDET_WITH_TORCH)" ${PROJECT_IS_TOP_LEVEL})
option(ICHDET_BUILD_PYTHON "Build the Python extension" ${PROJECT_IS_TOP_LEVEL})
option(ICHDET_WARNINGS_AS_ERRORS "Treat warnings in ichdet's own code as errors" OFF)
set(ICHDET_SANITIZE "" CACHE STRING "Sanitizers for ichdet's own code, for example address,undefined")
set(ICHDET_PYTHON "" CACHE FILEPATH "Python that has torch and pybind11 (default: .venv/bin/python, else python3)")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES AND PROJECT_IS_TOP_LEVEL)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
  find_program(ICHDET_CCACHE ccache)
  if(ICHDET_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Precompiled headers need these to be cacheable at all; the base folder makes hits independent of the checkout.
    set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} ${ICHDET_CCACHE})
  endif()
endif()

# What every target of ours is compiled with; consumers inherit C++20 and nothing else.
add_library(ichdet_build_flags INTERFACE)
target_compile_options(ichdet_build_flags INTERFACE -Wall -Wextra -Wpedantic $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
  $<$<BOOL:${ICHDET_WARNINGS_AS_ERRORS}>:-Werror>)
if(ICHDET_SANITIZE)
  target_compile_options(ichdet_build_flags INTERFACE -fsanitize=${ICHDET_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(ichdet_build_flags INTERFACE -fsanitize=${ICHDET_SANITIZE})
endif()
