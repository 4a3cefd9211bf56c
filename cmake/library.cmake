# The library as a shared one that shows nothing but its own names: whatever a program is compiled for, its copies of
# Eigen's templates and the library's never meet (docs/reproducibility.md).
set(RELUFIT_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
file(GLOB_RECURSE RELUFIT_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.cpp)
if(NOT RELUFIT_MPI)
  list(FILTER RELUFIT_SOURCES EXCLUDE REGEX "/mpi_ranks\\.cpp$")
endif()

function(relufit_add_library target architecture)
  add_library(${target} SHARED ${RELUFIT_SOURCES})
  target_include_directories(${target}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/generated>
           $<INSTALL_INTERFACE:include>
    PRIVATE src)
  target_link_libraries(${target}
    PUBLIC Eigen3::Eigen Threads::Threads
    PRIVATE nlohmann_json::nlohmann_json fmt::fmt ${RELUFIT_HWY} ${RELUFIT_LBFGS} $<TARGET_NAME_IF_EXISTS:MPI::MPI_CXX>)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE ${RELUFIT_WARNINGS})
  # Matrices cross the border: their memory is aligned for the widest vectors that either side may be compiled for.
  target_compile_definitions(${target} PUBLIC EIGEN_MAX_ALIGN_BYTES=64)
  relufit_set_arithmetic(${target} ${architecture})
  target_precompile_headers(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src/linear_algebra/precompiled.h)
  # With CMAKE_UNITY_BUILD a folder is compiled as one file: most of a file's time goes into Eigen's templates.
  set_target_properties(${target} PROPERTIES UNITY_BUILD_MODE GROUP)
  foreach(source ${RELUFIT_SOURCES})
    cmake_path(GET source PARENT_PATH folder)
    file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR}/src ${folder})
    string(REPLACE "/" "_" folder ${folder})
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${folder})
  endforeach()
  # Includes itself, once for every kind of processor.
  set_source_files_properties(${PROJECT_SOURCE_DIR}/src/subproblem/proximal/pair_prox.cpp PROPERTIES
    SKIP_UNITY_BUILD_INCLUSION ON)
  # As needed: a release build takes nothing from Highway but its headers (pair_prox.cpp).
  target_link_options(${target} PRIVATE -Wl,--as-needed -Wl,-Bsymbolic-functions
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map)
  set_target_properties(${target} PROPERTIES SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exports.map)
endfunction()
