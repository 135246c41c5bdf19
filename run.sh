#!/usr/bin/env bash
# ./run.sh [--config FILE] [key=value ...]         every stage, from the dataset to a scored submission (default: the built-in sample)
# ./run.sh STAGE [--config FILE] [key=value ...]   one stage: train, extract, search, ... (./run.sh --help lists them)
# ./run.sh test [pytest arguments]                 the tests
# Makes .venv and installs requirements.txt when they are missing or have changed. Paths are relative to this folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

venv="${LANDMARKS_VENV:-.venv}"
find_python() {
  for python in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo "$python"; return; fi
  done
  echo "error: no Python >= 3.11 found
  next:  install one, or PYTHON=/path/to/python3 ./run.sh" >&2
  exit 2
}

wanted="$(cat requirements.txt pyproject.toml | cksum)"
if [ ! -x "$venv/bin/python" ] || [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
  python="$(find_python)"
  echo "installing requirements.txt into $venv (about 6 GB, minutes; once)"
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --disable-pip-version-check -r requirements.txt
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --editable .
  echo "$wanted" > "$venv/installed"
fi

if [ "${1:-}" = test ]; then
  exec "$venv/bin/python" -m pytest "${@:2}"
fi
if [[ "${1:-}" =~ ^[a-z][a-z-]*$ || "${1:-}" == --help || "${1:-}" == -h ]]; then
  exec "$venv/bin/python" -m landmarks "$@"
fi
exec "$venv/bin/python" -m landmarks run "$@"
