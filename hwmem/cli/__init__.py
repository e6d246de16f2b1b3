"""The command line of hwmem."""
