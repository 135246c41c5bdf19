"""Files on disk: written atomically, read and checked."""
