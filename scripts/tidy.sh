#!/usr/bin/env bash
# clang-tidy on the library and the program.
#
#   scripts/tidy.sh           # all files: half an hour on two cores
#   scripts/tidy.sh FILE...
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh all
# What GCC precompiles is nothing to clang; its first header is read as text.
cmake --preset release -B build/tidy -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON \
  -DCMAKE_UNITY_BUILD=OFF -DRELUFIT_BUILD_TESTS=OFF -DRELUFIT_BUILD_BENCHMARKS=OFF >/dev/null
# The vectorized kernel includes itself once per instruction set, which confuses the analysis.
[ $# -gt 0 ] || set -- $(git ls-files 'src/*.cpp' 'cli/*.cpp' | grep -v -e pair_prox.cpp -e mpi_ranks.cpp -e rank_watch.cpp)
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build/tidy --extra-arg-before=-include \
  --extra-arg-before="$PWD/src/linear_algebra/precompiled.h" --warnings-as-errors='*' 2>/dev/null
