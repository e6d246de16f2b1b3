"""The standard streams of a process, some of which it may have been started without (a daemon, `2>&-`): Python has None for those."""

import os
import sys


def open_missing():
    """What is missing is /dev/null from here on. So no file that is opened gets the number of a stream that others write to."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False))
