"""A competition's notebook without network: what it takes with it, and what it runs within its time limit."""
