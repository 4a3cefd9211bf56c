#!/usr/bin/env bash
# All tests of ctest under the address and undefined behaviour sanitizers, and under the thread sanitizer; the Python
# tests on an extension built with the first two. By clang, in two thirds of the time of g++; address, python and
# scripts/fuzz.sh share one build of the library.
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
  ctest --preset tsan -j 2 -E '^Fuzz'
}

# The interpreter is not built with the sanitizers: their library, which holds that of undefined behaviour, is loaded
# before it, and that of C++, whose exceptions it is to see; what interpreter and compilers never free is left out.
# The program has its own, and goes without.
python() {
  cmake --preset fuzz >/dev/null
  cmake --build --preset fuzz --target relufit relufit-cli
  cmake --install build/fuzz --prefix build/asan-installed >/dev/null
  [ -x build/asan-venv/bin/python ] || python3 -m venv build/asan-venv
  build/asan-venv/bin/python -m pip install -q -r tests/requirements.txt
  local folder=$PWD/build/asan-python runtime
  cmake -S python -B "$folder" -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=None \
    -DCMAKE_CXX_FLAGS="-fsanitize=address,undefined -shared-libasan -fno-sanitize-recover=all -O1 -g1" \
    -Drelufit_ROOT="$PWD/build/asan-installed" -DPython_EXECUTABLE="$PWD/build/asan-venv/bin/python" \
    -Dnanobind_DIR="$(build/asan-venv/bin/python -m nanobind --cmake_dir)" >/dev/null
  cmake --build "$folder" --target _core
  rm -rf "$folder/packages"
  mkdir "$folder/packages"
  cp -r python/relufit "$folder/packages"
  cp "$folder"/_core*.so "$folder/packages/relufit"
  printf '#!/bin/sh\nunset LD_PRELOAD\nexec "%s" "$@"\n' "$PWD/build/fuzz/relufit" >"$folder/relufit"
  chmod +x "$folder/relufit"
  runtime=$(clang++ -print-file-name="libclang_rt.asan-$(uname -m).so")
  PYTHONPATH="$folder/packages" RELUFIT_BUILD="$folder" ASAN_OPTIONS=detect_leaks=0 \
    LD_PRELOAD="$runtime $(clang++ -print-file-name=libstdc++.so.6)" \
    build/asan-venv/bin/python -m pytest -q -p no:cacheprovider tests/python
}

for part in "${parts[@]}"; do "$part"; done
