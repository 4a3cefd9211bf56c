#!/usr/bin/env bash
# What the tests do not show: formatting, rooms and the direction of includes, names of files in documents, and that an
# installed relufit can be used by another project. Static analysis takes longer than all else together and is
# scripts/tidy.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh all
git ls-files '*.cpp' '*.h' | xargs clang-format --dry-run --Werror
python3 scripts/rooms.py
python3 scripts/names.py

cmake --preset release >/dev/null
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
cmake --build --preset release --target relufit relufit-cli
cmake --install build/release --prefix "$prefix/installed" >/dev/null
cmake -S examples/consumer -B "$prefix/build" -DCMAKE_PREFIX_PATH="$prefix/installed" -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$prefix/build"
"$prefix/build/consumer"
