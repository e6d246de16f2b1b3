"""`python -m hwmem`: the command."""

import sys

from hwmem.cli.cli import main

sys.exit(main())
