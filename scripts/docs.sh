#!/usr/bin/env bash
# The documentation site, build/docs/html/index.html: the documents, the tutorials run, the reference of both languages.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh docs
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install -q -r tests/requirements.txt -r docs/requirements.txt
scripts/python.sh

rm -rf build/docs
mkdir -p build/docs/doxygen
doxygen docs/Doxyfile
.venv/bin/python -m sphinx -q -W --keep-going -j 2 -c docs -d build/docs/doctrees . build/docs/html
echo "site: build/docs/html/index.html"
