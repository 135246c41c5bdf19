"""python -m landmarks.notebook BUNDLE INPUT WORKING STARTED: started by the notebook's third cell."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from landmarks.errors import UserError
from landmarks.notebook.run import make_submission


def main(arguments: list[str]) -> int:
    bundle, input, working, started = arguments
    try:
        make_submission(Path(bundle), Path(input), Path(working), float(started))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as landmarks/cli.py does, and for its reason
    sys.exit(main(sys.argv[1:]))
