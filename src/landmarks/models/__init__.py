"""The networks: from pixels to descriptors."""
