"""From pixels to descriptors."""
