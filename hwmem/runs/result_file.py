"""The file that keeps a result, read as what it may be: damaged, made by hand, or no result at all.

    zip ─┬─ result.json     all but the events
         └─ events.npy      numpy's own format, if events were logged

Nothing in it is believed: entries are read up to a size that no result has, and what zip, JSON or numpy make of damaged bytes
is one line.
"""

import io
import json
import os
import stat
import zipfile

import numpy as np

from hwmem.errors import ResultError
from hwmem.whole_file import write_whole

MOST_JSON = 256 << 20  # bytes of result.json
MOST_EVENTS = 256 << 20


def write(path, document, events):
    """Keep a result's document (JSON) and event log (array or None) at `path`. Raises OSError that names it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("result.json", json.dumps(document, indent=1))
        if events is not None:
            log = io.BytesIO()
            np.save(log, events, allow_pickle=False)
            archive.writestr("events.npy", log.getvalue())
    write_whole(path, buffer.getvalue())


def read(path):
    """(document, events) of the file at `path`. Raises OSError if it cannot be opened, ResultError for all else."""
    with open(path, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ResultError(f"{path}: not a result of hwmem (no ordinary file)")
        try:
            with zipfile.ZipFile(file) as archive:
                document = json.loads(entry(archive, "result.json", MOST_JSON))
                events = None
                if "events.npy" in archive.namelist():
                    events = np.load(io.BytesIO(entry(archive, "events.npy", MOST_EVENTS)), allow_pickle=False)
        except Exception as error:  # zipfile, zlib, json and numpy have many words for damaged bytes
            raise ResultError(f"{path}: not a result of hwmem ({first_line(error)})") from None
    if events is not None and (not isinstance(events, np.ndarray) or events.dtype.names is None or events.ndim != 1):
        raise ResultError(f"{path}: damaged: events.npy is no log of coherence requests")
    return document, events


def entry(archive, name, most):
    """The bytes of an entry; what its header says of their number is not believed."""
    with archive.open(name) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"{name} is longer than {most} bytes")
    return data


def first_line(error):
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
