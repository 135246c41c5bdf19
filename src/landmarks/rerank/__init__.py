"""Re-ranking: steps (steps/), what they may ask for (context.py), and a chain of them run and kept (chain.py)."""
