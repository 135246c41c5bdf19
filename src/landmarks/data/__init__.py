"""From picture files to pixels, and which of them."""
