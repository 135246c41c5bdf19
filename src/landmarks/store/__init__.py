"""What lies on disk, read, checked and written."""
