"""Kept results, damaged: bits turned over in the file, values of other types and sizes in its document.

Whoever reads it gets a Result of which every report can be made, or one line.
"""

import copy
import io
import json
import pathlib
import tempfile
import zipfile

import numpy as np

import hwmem
from hwmem.cli.cli import main
from hwmem.errors import ResultError
from hwmem.runs.frame import TABLES

CASES = 25  # damaged files of one case
STRANGE = (None, True, -1, 0, 1 << 70, 1e308, float("nan"), "", "\x1b[31m", "\ud800", [], {}, [[]], {"a": 1}, [1, 2], "x" * 1000)
ORIGINALS = []  # bytes of whole files


def prepare():
    if ORIGINALS:
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, settings in (
            ("false-sharing", {"threads": 2, "iterations": 60, "events": 40, "compare": True, "races": True}),
            ("spin-lock", {"threads": 2, "iterations": 10}),
            ("memory-mountain", {"largest": "16KiB"}),
        ):
            path = pathlib.Path(folder) / "r.hwm"
            hwmem.run(name, **settings).save(path)
            ORIGINALS.append(path.read_bytes())


def case(r, note):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "r.hwm"
        for _ in range(CASES):
            data = damaged(r, r.choice(ORIGINALS))
            path.write_bytes(data)
            note(f"{len(data)} bytes")
            look_at(path, r)


def damaged(r, data):
    if r.random() < 0.5:
        data = bytearray(data)
        for _ in range(r.choice((1, 1, 3, 20))):
            data[r.randrange(len(data))] ^= 1 << r.randrange(8)
        if r.random() < 0.2:
            del data[r.randrange(len(data)) :]
        return bytes(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        document = json.loads(archive.read("result.json"))
        arrays = {name: archive.read(name) for name in ("events.npy", "series.npy") if name in archive.namelist()}
    for _ in range(r.choice((1, 1, 2, 5))):
        spoil(r, document)
    if arrays and r.random() < 0.3:
        name = r.choice(sorted(arrays))
        log = np.load(io.BytesIO(arrays[name]))
        column = log[log.dtype.names[0]]
        log = r.choice((log[:0], column, np.frombuffer(r.randbytes(log.nbytes), log.dtype), np.array([{}], object)[:0].astype(str)))
        buffer = io.BytesIO()
        np.save(buffer, log)
        arrays[name] = buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("result.json", json.dumps(document))
        for name, data in arrays.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def spoil(r, value):
    """One thing somewhere in the document is another."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = r.choice(keys)
        if isinstance(value[key], (dict, list)) and value[key] and r.random() < 0.8:
            value = value[key]
            continue
        if r.random() < 0.2:
            del value[key]
        else:
            value[key] = copy.deepcopy(r.choice(STRANGE))
        return


def look_at(path, r):
    try:
        result = hwmem.load_result(path)
        str(result), repr(result), result.c2c(), json.dumps(result.to_dict())
    except ResultError as refusal:
        assert "\n" not in str(refusal), refusal
    words = r.choice(
        (
            ["report", path],
            ["report", path, r.choice(("c2c", "caches", "events", "races"))],
            ["trace-line", path],
            ["html", path, "-o", path.with_suffix(".html")],
            ["diff", path, path, "--html", path.with_suffix(".html")],
            [
                "export",
                path,
                r.choice(("chrome", "c2c", "csv", "npz", "smaps")),
                "--table",
                r.choice(TABLES),
                "-o",
                path.with_suffix(".out"),
            ],
            ["report", path, "--json"],
        )
    )
    import contextlib

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(word) for word in words])
    assert status in (0, 2) and err.getvalue().count("\n") == (status == 2), err.getvalue()
    assert "\x1b" not in out.getvalue() + err.getvalue()
