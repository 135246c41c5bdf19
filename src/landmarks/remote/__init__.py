"""Downloads from, and uploads to, other machines."""
