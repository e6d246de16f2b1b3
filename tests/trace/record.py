"""How data/*.lackey.xz and data/cachegrind.json were made: `python tests/trace/record.py [PROGRAM ...]` makes them again.

Real programs of Debian 12 under Valgrind 3.19, each run once under lackey, whose whole output is kept, and once under
cachegrind for each of the geometries below. Other versions of the programs, the C library or Valgrind give other
traces; the tests use nothing but what is in data/.

    sort    sort of 40 lines                     pointers and strings, the C library's start
    gzip    gzip -c of 200 lines                 tables, byte stores, many modifies
    mawk    a word count of 120 lines            an interpreter
    cksum   cksum of 1 MiB                       a buffer that the kernel fills and the program only reads
"""

import json
import lzma
import pathlib
import sys
import tempfile

import tools

DATA = pathlib.Path(__file__).with_name("data")
WORDS = "line cache set way tag page frame fault store load fence".split()
LINES = [f"{n * 7919 % 1009} {WORDS[n * n % 11]} {WORDS[n * 5 % 11]}\n" for n in range(200)]
PROGRAMS = {
    "sort": (40, ["sort", "text"]),
    "gzip": (200, ["gzip", "-c", "text"]),
    "cksum": (1 << 20, ["cksum", "text"]),
    "mawk": (120, ["mawk", "{for (i = 2; i <= NF; i++) n[$i]++} END {for (w in n) print n[w], w}", "text"]),
}
# (sets, ways) of I1, D1 and LL: a usual machine, a small one, and direct-mapped first levels
GEOMETRIES = [[(64, 8), (64, 8), (1024, 16)], [(16, 2), (32, 2), (128, 4)], [(64, 1), (16, 1), (64, 8)]]


def text_of(size):
    """So many lines; from 1 MiB on, so many bytes."""
    return "".join(LINES[:size]) if size < 1 << 20 else ("".join(LINES) * (size // 1000))[:size]


def main():
    answers = json.loads((DATA / "cachegrind.json").read_text())
    for name in sys.argv[1:] or PROGRAMS:
        size, command = PROGRAMS[name]
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "text").write_text(text_of(size))
            tools.lackey(command, folder, folder / "trace")
            text = (folder / "trace").read_bytes()
            (DATA / f"{name}.lackey.xz").write_bytes(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
            answers[name] = [
                {"i1": i1, "d1": d1, "ll": ll, "events": tools.cachegrind(command, folder, i1, d1, ll)} for i1, d1, ll in GEOMETRIES
            ]
    (DATA / "cachegrind.json").write_text(json.dumps(answers, indent=1) + "\n")


if __name__ == "__main__":
    main()
