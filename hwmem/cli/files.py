"""Files that a command line names: those that are read, and those that are written once all is computed.

An option or argument has its `type` from here, and by that parser.py knows them:

    given, workload_or_file     is read                 new_file, picture     is written, and replaces what is there
                                                        new_folder            is written into

What cannot be written is refused before the work that would fill it, in the system's own words; so is a file that is read as well, or
written twice, whatever name it goes by.
"""

import argparse
import errno
import os
import stat


def given(path):
    """A file that is read."""
    return path


def workload_or_file(word):
    """A workload's name, or a Python file that registers one."""
    return word


def new_file(path):
    """Check that a file can be written."""
    wrong = why_not(path)
    if wrong:
        raise argparse.ArgumentTypeError(f"{path}: {os.strerror(wrong)}")
    return path


def why_not(path):
    """The error number with which writing a file would end; 0: none that shows before."""
    target = os.path.realpath(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = None
    except OSError as error:
        return error.errno
    if mode is not None and stat.S_ISDIR(mode):
        return errno.EISDIR
    if mode is not None and not stat.S_ISREG(mode):  # /dev/null, a pipe: written to in its place
        return unwritable(target)
    folder = os.path.dirname(target)
    if not path or not os.path.isdir(folder):
        return errno.ENOENT
    return errno.EISDIR if path.endswith(os.sep) else unwritable(folder)


def unwritable(path):
    """The error number with which writing to a file or into a folder is refused, or 0."""
    if os.access(path, os.W_OK):
        return 0
    return errno.EROFS if os.statvfs(path).f_flag & os.ST_RDONLY else errno.EACCES


def new_folder(path):
    """Check that a folder can be made, or written into."""
    at = os.path.abspath(path)
    while not os.path.lexists(at):
        at = os.path.dirname(at)
    wrong = unwritable(at) if os.path.isdir(at) else errno.ENOTDIR
    if wrong:
        raise argparse.ArgumentTypeError(f"{path}: {os.strerror(wrong)}")
    return path


def picture(path):
    """A file for a picture that can be written and drawn."""
    from hwmem.report.look import picture_file

    try:
        picture_file(path)
    except (ImportError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return new_file(path)


def check_apart(read, written):
    """Both lists have (name of the option or argument, path). Raises ValueError if a file that is written is read, too, or is written twice."""
    for k, (option, path) in enumerate(written):
        for name, other in read:
            if same(path, other):
                raise ValueError(f"argument {option}: {path}: would overwrite what {name} names")
        for name, other in written[:k]:
            if same(path, other) or os.path.realpath(path) == os.path.realpath(other) and not os.path.exists(path):
                raise ValueError(f"argument {option}: {path}: must be another file than {name}")


def same(path, other):
    """Whether both name one ordinary file that is there; devices and pipes may have several uses."""
    try:
        return os.path.samefile(path, other) and os.path.isfile(path)
    except (OSError, ValueError):
        return False
