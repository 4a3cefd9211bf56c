#!/usr/bin/env bash
# Readers of CSV, NumPy, model and constraints files against libFuzzer's inputs, under the address and undefined behaviour
# sanitizers:  scripts/fuzz.sh SECONDS  (for each reader). New inputs are kept in build/fuzz/corpus; one that fails is
# named at the end, and belongs into tests/fuzz/corpus once it is mended.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null  # constraints may name files of points, this one among them

[ $# -eq 1 ] || { echo "usage: scripts/fuzz.sh SECONDS" >&2; exit 2; }
scripts/packages.sh fuzz
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target fuzz_csv fuzz_npy fuzz_model fuzz_constraints
for reader in csv npy model constraints; do
  dictionary=tests/fuzz/json.dict
  [ -f "tests/fuzz/$reader.dict" ] && dictionary=tests/fuzz/$reader.dict
  mkdir -p "build/fuzz/corpus/$reader"
  "build/fuzz/fuzz_$reader" -max_total_time="$1" -max_len=8192 -timeout=10 -dict="$dictionary" -print_final_stats=1 \
    -artifact_prefix="build/fuzz/$reader-" "build/fuzz/corpus/$reader" "tests/fuzz/corpus/$reader" 2>"build/fuzz/$reader.log" ||
    { tail -n 40 "build/fuzz/$reader.log"; exit 1; }
  echo "$reader: $(grep -o 'number_of_executed_units: .*' "build/fuzz/$reader.log")," \
    "$(grep -o 'cov: [0-9]*' "build/fuzz/$reader.log" | tail -n 1)"
done
