import os

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as landmarks/__main__.py does, and for its reason
