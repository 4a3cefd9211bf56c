#!/usr/bin/env bash
# The Python package on old processors, emulated by QEMU: Haswell without AVX-512, Nehalem without AVX at all. It must
# import and give the results that it gives here, without a polish, which makes much of last digits.
#
#   scripts/old_cpu.sh           # builds the package as `pip install .` does, in a folder of its own: some 15 minutes
#   scripts/old_cpu.sh PYTHON    # the package that this interpreter has
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh old-cpu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if [ $# -gt 0 ]; then
  python=$(command -v "$1")
  python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")  # not the program that a link of a venv leads to
else
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/python" -m pip install -q .
  python="$folder/venv/bin/python"
fi

program='
import numpy as np, relufit
inputs = np.random.default_rng(0).standard_normal((60, 3))
targets = np.abs(inputs[:, 0]) + inputs[:, 1]
for activation in ("relu", "hard-tanh"):
    result = relufit.train(inputs, targets, [4], ridge=0.01, polish=False, iterations=20, seed=1, activation=activation)
    print(result.status, *result.model.predict(inputs)[:5, 0], sep=";")
'
cd /  # not the source folder of the same name
expected=$("$python" -c "$program")
for cpu in Haswell Nehalem; do
  # Its warnings are of what the emulation lacks of a processor.
  found=$(qemu-x86_64 -cpu "$cpu" "$python" -c "$program" 2>"$folder/errors") || { cat "$folder/errors"; exit 1; }
  "$python" - "$expected" "$found" <<'END'
import sys
import numpy as np
expected, found = ([line.split(";") for line in text.splitlines()] for text in sys.argv[1:])
assert [line[0] for line in found] == [line[0] for line in expected], (found, expected)  # statuses
for a, b in zip(expected, found):
    np.testing.assert_allclose(np.array(b[1:], dtype=float), np.array(a[1:], dtype=float), rtol=1e-10)
END
  echo "$cpu: the same status, and results to 1e-10"
done
