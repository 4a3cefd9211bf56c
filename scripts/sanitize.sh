#!/usr/bin/env bash
# The unit tests under the address and undefined behaviour sanitizers (a build of about 10 minutes on two cores).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh
cmake --preset asan >/dev/null
cmake --build --preset asan --target relufit-tests
ctest --preset asan -j 2
