"""`python -m goalloc`."""

import sys

from goalloc.cli.cli import main

if __name__ == "__main__":
    sys.exit(main())
