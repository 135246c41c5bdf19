"""Pure maths: arrays in, arrays out; no files, no configuration."""
