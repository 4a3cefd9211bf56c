#!/usr/bin/env bash
# What the tests do not show: formatting, static analysis, and that an installed relufit can be used by another project.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh all
git ls-files '*.cpp' '*.h' | xargs clang-format --dry-run --Werror

cmake --preset release >/dev/null
cmake --build --preset release --target relufit
scripts/tidy.sh

prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
cmake --build --preset release --target relufit-cli
cmake --install build/release --prefix "$prefix/installed" >/dev/null
cmake -S examples/consumer -B "$prefix/build" -DCMAKE_PREFIX_PATH="$prefix/installed" -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$prefix/build"
"$prefix/build/consumer"
