"""A file is written whole or not at all: whoever reads its name finds the old one or all of the new one.

The bytes have no name while they are written (O_TMPFILE), so that nothing is left where the process is killed; then the file
gets one beside its place and takes it in one step. On file systems that cannot do the first, the name is there from the
beginning. What is no ordinary file (/dev/null, a pipe) is written to as it stands, never replaced.
"""

import errno
import os
import secrets
import stat
from pathlib import Path

CANNOT = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.EXDEV)  # where there is no O_TMPFILE, or no /proc


def write_whole(path, data):
    """The bytes `data` are what is at `path`. Raises OSError that names `path`."""
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            target.write_bytes(data)
        else:
            replace(target, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None  # not the temporary file's name


def replace(target, data):
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.tmp")
    try:
        write_beside(temporary, data)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_beside(temporary, data):
    """A file of that name with these bytes, which has the name only once they are all there, where that can be done."""
    try:
        with open(os.open(temporary.parent, os.O_WRONLY | os.O_TMPFILE, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            os.link(f"/proc/self/fd/{file.fileno()}", temporary, src_dir_fd=file.fileno(), follow_symlinks=True)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in CANNOT:
            raise
        temporary.write_bytes(data)
