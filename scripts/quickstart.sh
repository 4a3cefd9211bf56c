#!/usr/bin/env bash
# From a fresh machine to a trained network: packages, build, and a training run on the bundled diabetes data.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh
cmake --preset release >/dev/null
cmake --build --preset release --target relufit-cli
build/release/relufit train data/diabetes.csv --targets progression --hidden 10 --test-fraction 0.25 \
  --model build/diabetes.json --plot build/diabetes.svg
echo "picture: build/diabetes.svg"
