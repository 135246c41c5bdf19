"""The package from Python: arrays in memory, and runs that the command line has made. `import landmarks as lm` hands these on."""
