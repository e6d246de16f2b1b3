"""Tables of a result as CSV, as Parquet, as perf c2c prints them; its arrays as NPZ."""

import io

import numpy as np

from hwmem.observe import c2c
from hwmem.runs.frame import rows, write_csv_rows

PERF_WIDTH = 200  # perf c2c report does not fold its columns


def checked(result, table):
    found = rows(result, table)
    if not found:
        raise ValueError(f"{result.workload}: its table {table!r:.40} has no rows")
    return found


def csv_text(result, table):
    """A line of names, then a row a line."""
    out = io.StringIO(newline="")
    write_csv_rows(checked(result, table), out)
    return out.getvalue()


def parquet_bytes(result, table):
    """A Parquet file. Raises ImportError where pyarrow is missing."""
    try:
        from pyarrow import Table, parquet
    except ImportError:
        raise ImportError("Parquet needs pyarrow: pip install 'hwmem[parquet]'") from None
    found, out = checked(result, table), io.BytesIO()
    names = list(dict.fromkeys(name for row in found for name in row))
    parquet.write_table(Table.from_pydict({name: [row.get(name) for row in found] for name in names}), out)
    return out.getvalue()


def npz_bytes(result):
    """`events` and `series` as numpy.load gives them, those that there are, and `start`."""
    arrays = {name: array for name, array in (("events", result.events), ("series", result.series)) if array is not None}
    if not arrays:
        raise ValueError(f"{result.workload}: it kept no arrays; make it with hwmem run --events N")
    out = io.BytesIO()
    np.savez_compressed(out, start=np.int64(result.start or 0), **arrays)
    return out.getvalue()


def c2c_text(result):
    """All contended lines."""
    found = result.c2c()
    return c2c.text(found, lines=len(found), width=PERF_WIDTH)
