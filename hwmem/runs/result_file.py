"""The file that keeps a result, read with distrust: it may be damaged, made by hand, or not a result at all.

    zip ─┬─ result.json     all but the arrays
         ├─ events.npy      numpy's own format, if events were logged
         └─ series.npy      the same, of the run over time

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
MOST_ARRAY = 256 << 20


def write(path, document, arrays):
    """Keep a result's document (JSON) and its arrays (name: array or None) at `path`. Raises OSError that names it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("result.json", json.dumps(document, indent=1))
        for name, array in arrays.items():
            if array is not None:
                data = io.BytesIO()
                np.save(data, array, allow_pickle=False)
                archive.writestr(f"{name}.npy", data.getvalue())
    write_whole(path, buffer.getvalue())


def read(path, names):
    """(document, {name: array or None}) of the file at `path`. Raises OSError if it cannot be opened, ResultError for all else."""
    with open(path, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ResultError(f"{path}: not a result of hwmem (no ordinary file)")
        try:
            with zipfile.ZipFile(file) as archive:
                document = json.loads(entry(archive, "result.json", MOST_JSON))
                arrays = dict.fromkeys(names)
                for name in names:
                    if f"{name}.npy" in archive.namelist():
                        arrays[name] = np.load(io.BytesIO(entry(archive, f"{name}.npy", MOST_ARRAY)), allow_pickle=False)
        except Exception as error:  # zipfile, zlib, json and numpy have many words for damaged bytes
            raise ResultError(f"{path}: not a result of hwmem ({first_line(error)})") from None
    for name, array in arrays.items():
        if array is not None and (not isinstance(array, np.ndarray) or array.dtype.names is None or array.ndim != 1):
            raise ResultError(f"{path}: damaged: {name}.npy is no table")
    return document, arrays


def entry(archive, name, most):
    """The bytes of an entry; the size in its header is not trusted."""
    with archive.open(name) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"{name} is longer than {most} bytes")
    return data


def first_line(error):
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
