#!/usr/bin/env bash
# The Python package into .venv, on the library of the release build; `pip install .` would compile a portable one.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake --preset release >/dev/null
cmake --build --preset release --target relufit relufit-cli
cmake --install build/release --prefix build/installed >/dev/null
# Debian 12's pip knows only the long name of --config-settings.
.venv/bin/python -m pip install -q --no-build-isolation --no-deps . --config-settings=cmake.source-dir=python \
  --config-settings=cmake.define.relufit_ROOT="$PWD/build/installed" --config-settings=build-dir=build/python-tests
