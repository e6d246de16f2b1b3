"""Results in formats that other programs read: `hwmem export R.hwm FORM -o FILE`.

    chrome     trace-event JSON: a track a core, requests as slices, memory as counters, collections    Perfetto, chrome://tracing
    c2c        the two tables of `perf c2c report --stdio`
    csv        a table (runs/frame.py) with a line of names                                             spreadsheets, R, duckdb
    parquet    the same, typed (pip install 'hwmem[parquet]')                                           pandas, polars, duckdb
    npz        the event log and the run over time as arrays                                            numpy
    smaps      the address space in the kernel's format                                                 whatever reads /proc/PID/smaps

Each is a function of a Result; nothing here knows of a machine. schema.py has what `--json` prints, as JSON Schema.
"""

from hwmem.printable import printable
from hwmem.formats.chrome import chrome
from hwmem.formats.smaps import smaps
from hwmem.formats.tables import c2c_text, csv_text, npz_bytes, parquet_bytes

FORMS = ("chrome", "c2c", "csv", "parquet", "npz", "smaps")


def export(result, form, table="lines"):
    """The bytes of a file in one of FORMS; `table`: of csv and parquet, one of frame.TABLES.

    Raises ValueError for another form, and for one of which the result has nothing; ImportError where parquet's library is missing.
    """
    if form not in FORMS:
        raise ValueError(f"form: {form!r:.40} is none of {', '.join(FORMS)}")
    if form == "npz":
        return npz_bytes(result)
    if form == "parquet":
        return parquet_bytes(result, table)
    if form == "csv":
        return csv_text(result, table).encode(errors="backslashreplace")
    if form == "chrome":
        return chrome(result).encode()
    return printable({"c2c": c2c_text, "smaps": smaps}[form](result)).encode()  # what a terminal shows
