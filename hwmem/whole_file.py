"""A file is written whole or not at all: a reader of its name finds the old file or all of the new one.

The bytes have no name while they are written (O_TMPFILE), so that nothing is left where the process is killed; then the file
gets one beside its place and takes it in one step. On file systems that cannot do the first, the name is there from the
beginning. Anything but an ordinary file (/dev/null, a pipe) is written to in place, never replaced.
"""

import contextlib
import errno
import os
import secrets
import shutil
import stat
from pathlib import Path

CANNOT = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.EXDEV)  # where there is no O_TMPFILE, or no /proc


def write_whole(path, data):
    """The bytes `data` are what is at `path`. Raises OSError that names `path`."""
    with writing_whole(path) as file:
        file.write(data)


@contextlib.contextmanager
def writing_whole(path):
    """Something to `write` bytes to that is what is at `path` once the block has ended; if it raises, all stays as it was. Raises OSError
    that names `path`."""
    target = Path(os.path.realpath(path))
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        with naming(path):
            file = open(target, "wb", buffering=0)
        with file:
            yield Named(file, path)
        return
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.tmp")
    try:
        with naming(path):
            file = without_a_name(target.parent) or open(temporary, "wb", buffering=0)
        with file:
            yield Named(file, path)
            with naming(path):
                if not temporary.exists():
                    give_name(file, temporary)
        with naming(path):
            os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):  # where nothing can be written, nothing is there
            temporary.unlink()


@contextlib.contextmanager
def naming(path):
    """Failures name the file as the user does, not a temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


class Named:
    """An unbuffered file whose failures name it `path`."""

    def __init__(self, file, path):
        self.file, self.path = file, path

    def write(self, data):
        data = memoryview(data)
        with naming(self.path):
            while data:
                data = data[self.file.write(data) :]


def without_a_name(folder):
    """A file in `folder` that has no name, None where that cannot be."""
    try:
        return open(os.open(folder, os.O_RDWR | os.O_TMPFILE, 0o666), "r+b", buffering=0)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in CANNOT:
            raise
        return None


def give_name(file, name):
    """The file, or where it cannot be linked what is in it, has the name."""
    try:
        os.link(f"/proc/self/fd/{file.fileno()}", name, src_dir_fd=file.fileno(), follow_symlinks=True)
    except OSError as error:
        if error.errno not in CANNOT:
            raise
        file.seek(0)
        with open(name, "wb") as copy:
            shutil.copyfileobj(file, copy)
