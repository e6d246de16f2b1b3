"""The command `goalloc`, and `python -m goalloc`."""

import sys

from hwmem.cli.interruption import whole_process


def main():
    """The exit status of the command with the process's words."""
    return whole_process("goalloc", loaded)


def loaded():
    from goalloc.cli.cli import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
