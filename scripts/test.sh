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
# Debian 12's pip knows only the long name of --config-settings.
.venv/bin/python -m pip install -q --no-build-isolation --no-deps . --config-settings=cmake.source-dir=python \
  --config-settings=cmake.define.relufit_ROOT="$PWD/build/installed" --config-settings=build-dir=build/python-tests
.venv/bin/python -m pytest -q tests
