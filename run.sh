#!/usr/bin/env bash
# ./run.sh [--config FILE] [key=value ...]         every stage, from the dataset to a scored submission (default: the built-in sample)
# ./run.sh STAGE [--config FILE] [key=value ...]   one stage: train, extract, search, ... (./run.sh --help lists them)
# ./run.sh STAGE RUN [key=value ...]               the same with the configuration that the run folder RUN keeps
# ./run.sh test [PATH] [pytest arguments]          the tests, or those of one file or folder; -m slow: the slow ones
# ./run.sh check                                   lint, format and types: what must be clean before a change is done
# Makes .venv beside this file and installs requirements.txt when they are missing or have changed; test and check also install the
# development packages (pyproject.toml, extra "dev"). Paths that are typed are relative to the current folder.
set -euo pipefail
home="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export LANDMARKS_PROGRAM="$0"

venv="${LANDMARKS_VENV:-$home/.venv}"
find_python() {
  for python in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo "$python"; return; fi
  done
  echo "error: no Python >= 3.11 found
  next:  install one, or PYTHON=/path/to/python3 $0" >&2
  exit 2
}

wanted="$(cat "$home/requirements.txt" "$home/pyproject.toml" | cksum)"
is_installed() { [ -x "$venv/bin/python" ] && [ "$(cat "$venv/$1" 2>/dev/null)" = "$wanted" ]; }
install() { "$venv/bin/python" -m pip install --disable-pip-version-check "$@"; }

if ! is_installed installed; then
  python="$(find_python)"
  echo "installing requirements.txt into $venv (about 8 GB, minutes; once)"
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  install -r "$home/requirements.txt"
  install --quiet --no-deps --editable "$home"
  echo "$wanted" > "$venv/installed"
fi
if [[ "${1:-}" = test || "${1:-}" = check ]]; then
  if ! is_installed installed-dev; then
    install --quiet --editable "$home[dev]"
    echo "$wanted" > "$venv/installed-dev"
  fi
  cd "$home"
fi

case "${1:-}" in
  test)
    [ $# -gt 1 ] || set -- test --numprocesses auto --maxprocesses 4 --dist loadfile  # all of them: on several cores, about 2 GB each
    exec "$venv/bin/python" -m pytest "${@:2}" ;;
  check)
    "$venv/bin/python" -m ruff check .
    "$venv/bin/python" -m ruff format --check .
    exec "$venv/bin/python" -m mypy ;;
  "" | --config | --yes | *=*)  # no stage
    exec "$venv/bin/python" -m landmarks run "$@" ;;
  *)
    exec "$venv/bin/python" -m landmarks "$@" ;;
esac
