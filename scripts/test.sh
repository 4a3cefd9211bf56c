#!/usr/bin/env bash
# All tests: unit and property tests (ctest), then the command line, of one process and of several by MPI, the
# comparisons with independent solvers and the Python package (pytest).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh all
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install -q -r tests/requirements.txt
cmake --preset release
cmake --build --preset release
ctest --preset release -j 2

cmake --preset mpi >/dev/null
cmake --build --preset mpi --target relufit-cli gather_in_pieces
scripts/python.sh
.venv/bin/python -m pytest -q tests
