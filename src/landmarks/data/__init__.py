"""Pictures: reading, resizing, augmenting, and which of them are used."""
