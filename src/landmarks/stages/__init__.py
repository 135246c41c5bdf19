"""One file a stage; none imports another, they meet in files."""
