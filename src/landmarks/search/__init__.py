"""The vectors that are searched, what searches them, and the rankings that come out."""
