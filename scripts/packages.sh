#!/usr/bin/env bash
# Installs the system packages that relufit needs (Debian 12 or newer), where any is missing.
set -euo pipefail

build=(g++ cmake ninja-build libeigen3-dev libfmt-dev libhwy-dev liblbfgs-dev nlohmann-json3-dev libcli11-dev
       libgtest-dev gnuplot-nox)
python=(python3 python3-dev python3-venv)
checks=(coinor-csdp clang clang-format clang-tidy)
docs=(doxygen)
old_cpu=(qemu-user)
fuzz=(clang libclang-rt-dev)
mpi=(mpich libmpich-dev)

wanted=("${build[@]}")
case "${1:-}" in
  python) wanted+=("${python[@]}") ;;
  old-cpu) wanted+=("${python[@]}" "${old_cpu[@]}") ;;
  docs) wanted+=("${python[@]}" "${docs[@]}") ;;
  fuzz) wanted+=("${fuzz[@]}") ;;
  sanitize) wanted+=("${python[@]}" "${fuzz[@]}") ;;
  mpi) wanted+=("${mpi[@]}") ;;
  all) wanted+=("${python[@]}" "${checks[@]}" "${mpi[@]}") ;;
esac
missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
