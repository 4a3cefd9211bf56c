#!/usr/bin/env bash
# All tests: unit and property tests (ctest), then the command line, the comparisons with independent solvers and the
# Python package (pytest).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh all
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install -q -r tests/requirements.txt
cmake --preset release
cmake --build --preset release
ctest --preset release -j 2

# The extension links the library just built; `pip install .` would compile a portable one.
cmake --install build/release --prefix build/installed >/dev/null
.venv/bin/python -m pip install -q --no-build-isolation --no-deps . -C cmake.source-dir=python \
  -C cmake.define.relufit_ROOT="$PWD/build/installed" -C build-dir=build/python-tests
.venv/bin/python -m pytest -q tests
