"""python -m landmarks."""

import os
import sys

# Threads of one parallel loop wait for each other by spinning; where the cores are shared (with the processes that decode
# images, to begin with) that makes a training step up to ten times slower. Read when the OpenMP library loads.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from landmarks.cli import main  # noqa: E402

sys.exit(main())
