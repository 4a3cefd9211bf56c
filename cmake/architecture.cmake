# One arithmetic (docs/reproducibility.md): what relufit is compiled for, and how it rounds.
#
# RELUFIT_ARCH is the -march of the library: "auto" takes x86-64-v3 (AVX2, FMA) where this processor has it, else the
# compiler's own. Hot kernels choose wider vectors at run time.
set(RELUFIT_ARCH "auto" CACHE STRING "Processors to compile for: auto, default, or a value of -march such as x86-64-v3")

function(relufit_resolve_architecture result)
  set(${result} "${RELUFIT_ARCH}" PARENT_SCOPE)
  if(NOT RELUFIT_ARCH STREQUAL "auto")
    return()
  endif()
  set(${result} "default" PARENT_SCOPE)
  if(CMAKE_CROSSCOMPILING OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    return()
  endif()
  include(CheckCXXSourceRuns)
  check_cxx_source_runs("
    int main() {
      return __builtin_cpu_supports(\"avx2\") && __builtin_cpu_supports(\"fma\") && __builtin_cpu_supports(\"bmi2\") ? 0 : 1;
    }" RELUFIT_HAS_X86_64_V3)
  if(RELUFIT_HAS_X86_64_V3)
    set(${result} "x86-64-v3" PARENT_SCOPE)
  endif()
endfunction()

# Sums and products are rounded as they are written, whatever the compiler and the processor: no contraction to fused
# operations, blocks of products that do not depend on the caches of the machine, and Eigen's vectors of 32 bytes also
# where 64 are there (it would sum in another order).
function(relufit_set_arithmetic target architecture)
  target_compile_options(${target} PRIVATE -ffp-contract=off)
  target_compile_definitions(${target} PRIVATE EIGEN_NO_CPUID HWY_DISABLE_PCLMUL_AES)
  if(NOT architecture STREQUAL "default")
    target_compile_options(${target} PRIVATE -march=${architecture} -U__AVX512F__)
  endif()
endfunction()
