"""The command `hwmem`, and `python -m hwmem`."""

import sys

from hwmem.cli.interruption import whole_process


def main():
    """The exit status of the command with the process's words."""
    return whole_process("hwmem", loaded)


def loaded():
    from hwmem.cli.cli import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
