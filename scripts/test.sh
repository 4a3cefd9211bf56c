#!/usr/bin/env bash
# All tests: unit and property tests (ctest), then the command line and the comparisons with independent solvers (pytest).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh all
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install -q -r tests/requirements.txt
cmake --preset release >/dev/null
cmake --build --preset release
ctest --preset release -j 2
.venv/bin/python -m pytest -q tests
