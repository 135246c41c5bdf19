import os

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as landmarks/cli.py does, and for its reason
