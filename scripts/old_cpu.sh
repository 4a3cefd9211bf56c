#!/usr/bin/env bash
# The Python package on old processors, emulated by QEMU: Haswell without AVX-512, Nehalem without AVX at all. It must
# import and give the results that it gives here, without a polish, which makes much of last digits.
#
#   scripts/old_cpu.sh           # builds the package as `pip install .` does, in a folder of its own: some 15 minutes
#   scripts/old_cpu.sh PYTHON    # the package that this interpreter has
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh old-cpu
python=${1:-}
if [ -z "$python" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
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
    print(*result.model.predict(inputs)[:5, 0])
'
cd /  # not the source folder of the same name
expected=$("$python" -c "$program")
for cpu in Haswell Nehalem; do
  found=$(qemu-x86_64 -cpu "$cpu" "$python" -c "$program" 2>/dev/null)
  "$python" - "$expected" "$found" <<'END'
import sys
import numpy as np
a, b = (np.array(text.split(), dtype=float) for text in sys.argv[1:])
np.testing.assert_allclose(b, a, rtol=1e-10)
END
  echo "$cpu: as here, to 1e-10"
done
