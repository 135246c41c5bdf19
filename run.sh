#!/usr/bin/env bash
# ./run.sh [--config FILE] [key=value ...]         every stage, from the dataset to a scored submission (default: the built-in sample)
# ./run.sh STAGE [--config FILE] [key=value ...]   one stage: train, extract, search, ... (./run.sh --help lists them)
# ./run.sh test [PATH] [pytest arguments]          the tests, or those of one file or folder
# ./run.sh check                                   lint, format and types: what must be clean before a change is done
# Makes .venv and installs requirements.txt when they are missing or have changed; test and check also install the development
# packages (pyproject.toml, extra "dev"). Paths are relative to this folder.
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
is_installed() { [ -x "$venv/bin/python" ] && [ "$(cat "$venv/$1" 2>/dev/null)" = "$wanted" ]; }
install() { "$venv/bin/python" -m pip install --disable-pip-version-check "$@"; }

if ! is_installed installed; then
  python="$(find_python)"
  echo "installing requirements.txt into $venv (about 6 GB, minutes; once)"
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  install -r requirements.txt
  install --quiet --no-deps --editable .
  echo "$wanted" > "$venv/installed"
fi
if [[ "${1:-}" = test || "${1:-}" = check ]] && ! is_installed installed-dev; then
  install --quiet --editable ".[dev]"
  echo "$wanted" > "$venv/installed-dev"
fi

if [ "${1:-}" = test ]; then
  exec "$venv/bin/python" -m pytest "${@:2}"
fi
if [ "${1:-}" = check ]; then
  "$venv/bin/python" -m ruff check .
  "$venv/bin/python" -m ruff format --check .
  exec "$venv/bin/python" -m mypy
fi
if [[ "${1:-}" =~ ^[a-z][a-z-]*$ || "${1:-}" == --help || "${1:-}" == -h ]]; then
  exec "$venv/bin/python" -m landmarks "$@"
fi
exec "$venv/bin/python" -m landmarks run "$@"
