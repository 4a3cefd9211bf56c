#!/usr/bin/env bash
# All tests of ctest under the address and undefined behaviour sanitizers, those of training, search and threads under
# the thread sanitizer, and the Python tests on an extension built with the first two. By clang, in two thirds of the
# time of g++; address, python and scripts/fuzz.sh share one build of the library.
#
#   scripts/sanitize.sh [address] [thread] [python]    # all three where none is named
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh sanitize
parts=("$@")
[ $# -gt 0 ] || parts=(address thread python)

address() {
  cmake --preset fuzz >/dev/null
  cmake --build --preset fuzz
  ctest --preset fuzz -j 2
}

thread() {
  cmake --preset tsan >/dev/null
  cmake --build --preset tsan --target relufit-tests
  ctest --preset tsan -j 2 -R 'Train|Search|Subproblem|Workers|Race|Ridge|Blocks|Maxout|SkipConnections|EveryActivation'
}

# The interpreter is not built with the sanitizers: their library is loaded before it, also where the build imports the
# extension, and what the interpreter and compilers never free is left out. It holds that of undefined behaviour, too.
python() {
  cmake --preset fuzz >/dev/null
  cmake --build --preset fuzz --target relufit relufit-cli
  cmake --install build/fuzz --prefix build/asan-installed >/dev/null
  [ -x build/asan-venv/bin/python ] || python3 -m venv build/asan-venv
  build/asan-venv/bin/python -m pip install -q -r tests/requirements.txt
  local runtime
  runtime=$(clang++ -print-file-name="libclang_rt.asan-$(uname -m).so")
  LD_PRELOAD="$runtime" ASAN_OPTIONS=detect_leaks=0 CXX=clang++ \
    CXXFLAGS="-fsanitize=address,undefined -shared-libasan -fno-sanitize-recover=all -O1 -g1" \
    build/asan-venv/bin/python -m pip install -q --no-build-isolation --no-deps . --config-settings=cmake.source-dir=python \
    --config-settings=cmake.define.relufit_ROOT="$PWD/build/asan-installed" --config-settings=build-dir=build/asan-python \
    --config-settings=cmake.build-type=None
  LD_PRELOAD="$runtime" ASAN_OPTIONS=detect_leaks=0 build/asan-venv/bin/python -m pytest -q tests/python
}

for part in "${parts[@]}"; do "$part"; done
