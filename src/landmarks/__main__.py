"""python -m landmarks."""

import sys

try:
    from landmarks.cli import main
except ImportError as error:
    if (error.name or "").partition(".")[0] == "landmarks":
        raise
    print(f"error: {error}\n  next:  ./run.sh config  (installs requirements.txt)", file=sys.stderr)
    sys.exit(2)

sys.exit(main())
