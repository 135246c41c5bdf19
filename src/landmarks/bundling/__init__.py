"""What a notebook without network takes with it."""
