#!/usr/bin/env bash
# All unit tests under the address and undefined behaviour sanitizers, those of training, search and threads under the
# thread sanitizer, and the Python tests on an extension built with the first two.
#
#   scripts/sanitize.sh [address] [thread] [python]    # all three where none is named
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh python
parts=("$@")
[ $# -gt 0 ] || parts=(address thread python)

address() {
  cmake --preset asan >/dev/null
  cmake --build --preset asan
  ctest --preset asan -j 2
}

thread() {
  cmake --preset tsan >/dev/null
  cmake --build --preset tsan --target relufit-tests
  ctest --preset tsan -j 2 -R 'Train|Search|Thread|Parallel|Subproblem|Sequence'
}

# The interpreter is not built with the sanitizers: their libraries are loaded before it, and what it never frees is
# left out.
python() {
  cmake --preset asan -DRELUFIT_BUILD_TESTS=OFF -B build/asan-library >/dev/null
  cmake --build build/asan-library --target relufit relufit-cli
  cmake --install build/asan-library --prefix build/asan-installed >/dev/null
  [ -x build/asan-venv/bin/python ] || python3 -m venv build/asan-venv
  build/asan-venv/bin/python -m pip install -q -r tests/requirements.txt
  CXXFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -O1 -g1" \
    build/asan-venv/bin/python -m pip install -q --no-build-isolation --no-deps . --config-settings=cmake.source-dir=python \
    --config-settings=cmake.define.relufit_ROOT="$PWD/build/asan-installed" --config-settings=build-dir=build/asan-python \
    --config-settings=cmake.build-type=RelWithDebInfo
  LD_PRELOAD="$(g++ -print-file-name=libasan.so):$(g++ -print-file-name=libubsan.so)" \
    ASAN_OPTIONS=detect_leaks=0 RELUFIT_BUILD=build/asan-library build/asan-venv/bin/python -m pytest -q tests/python
}

for part in "${parts[@]}"; do "$part"; done
