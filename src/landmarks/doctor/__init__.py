"""What this machine has, and what a configuration needs of it."""
