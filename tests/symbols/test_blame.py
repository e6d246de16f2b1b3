"""Misses by source line, by allocation, and as callgrind's profile."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from built import BIAS, build, names_of, run

from hwmem.machine.where import ROW
from hwmem.symbols.blame import MOST, OTHERS, by_allocation, by_source
from hwmem.symbols import pprof
from hwmem.symbols.callgrind import profile
from hwmem.trace.program import Block, MemoryCall


def rows(*counts):
    """Rows of machine/where.py: (key, misses, hitms, faults, tlbs, cycles), the worst first."""
    found = np.zeros(len(counts), ROW)
    for row, (key, *values) in zip(found, counts):
        row["key"] = key
        for name, value in zip(("misses", "hitms", "faults", "tlbs", "cycles"), values):
            row[name] = value
    return found


@pytest.fixture
def built(tmp_path):
    return build(tmp_path, "told.c", "-O2")


def code_of(program, function):
    return next(int(line.split()[0], 16) for line in run("nm", program).splitlines() if line.split()[2:] == [function])


@pytest.mark.live
def test_instructions_of_one_line_are_one_row(built):
    names, within = names_of(built, BIAS), code_of(built, "within")
    same = [pc + BIAS for pc in range(within, within + 60) if names.code(pc + BIAS).source == names.code(within + BIAS).source][:2]
    found = by_source(names, rows((0x77, 9, 0, 0, 1, 50), (same[0], 5, 3, 2, 1, 90), (same[1], 2, 0, 0, 0, 10)))
    assert [row["misses"] for row in found["rows"]] == [9, 7]
    assert found["rows"][0]["at"] == "0x77"
    assert found["rows"][1] == {
        "at": names.code(same[0]).source, "function": "within", "object": "told", "misses": 7, "hitms": 3, "faults": 2, "tlbs": 1, "cycles": 100,
    }  # fmt: skip
    assert (found["misses"], found["of"], found["cycles"]) == (16, 2, 150)


@pytest.mark.live
def test_lines_belong_to_what_lies_on_them(built):
    table, _ = names_of(built, BIAS).part("table")
    blocks = [Block(0x5000000, 640, (code_of(built, "main") + BIAS + 5,), 1, 0)]
    calls = [MemoryCall(1, "mmap", (0, 8192, 3, 34, 0xFFFFFFFF, 0), 0x6000000)]
    names = names_of(built, BIAS, blocks=blocks, memory_calls=calls)
    lines = [
        (table + 63 & -64, 4, 4, 0, 0, 9),
        ((table + 63 & -64) + 64, 3, 0, 0, 0, 9),
        (0x5000040, 2, 0, 1, 1, 5),
        (0x6000000, 1, 0, 1, 0, 1),
    ]
    found = {row["at"]: row["misses"] for row in by_allocation(names, rows(*lines))["rows"]}
    heap = next(name for name in found if name.startswith("heap allocated at main, told.c:"))
    assert found == {"table": 7, heap: 2, "anonymous memory at 0x6000000": 1}


def test_what_is_beyond_the_worst_is_one_row():
    class Nobody:
        def allocation(self, address):
            return "x"

    found = by_allocation(Nobody(), rows(*((64 * n, 1, 0, 0, 0, 0) for n in range(MOST + 5))))
    assert [(row["at"], row["misses"]) for row in found["rows"]] == [("x", MOST), (OTHERS, 5)]


@pytest.mark.live
def test_callgrind_annotate_reads_the_profile(built, tmp_path):
    names, main, within = names_of(built, BIAS), code_of(built, "main") + BIAS, code_of(built, "within") + BIAS
    costs = rows((within + 8, 500, 400, 3, 2, 9000), (main + 4, 70, 0, 1, 1, 600), (0x77, 1, 0, 0, 0, 5))
    text = profile(names, costs, "./told \x1b[2J\n2", "0.1.0")
    assert "\x1b" not in text and "totals: 571 400 3 4 9605" in text
    assert "cmd: ./told \\x1b[2J\\n2" in text
    if shutil.which("callgrind_annotate") is None:
        pytest.skip("not installed: callgrind_annotate")
    (tmp_path / "callgrind.out").write_text(text)
    said = subprocess.run(
        ["callgrind_annotate", "--auto=no", tmp_path / "callgrind.out"], capture_output=True, text=True, check=True
    ).stdout
    assert re.search(r"571 .*400 .*PROGRAM TOTALS", said)
    assert re.search(r"500 .*400 .*told\.c:within", said) and re.search(r"70 .*told\.c:main", said)


@pytest.mark.live
def test_go_tool_pprof_reads_the_profile(built, tmp_path):
    go = shutil.which("go") or str(Path(sys.executable).with_name("go"))
    if not Path(go).exists():
        pytest.skip("not installed: go")
    names, main, within = names_of(built, BIAS), code_of(built, "main") + BIAS, code_of(built, "within") + BIAS
    costs = rows((within + 8, 500, 400, 3, 2, 9000), (main + 4, 70, 0, 1, 1, 600), (0x77, 1, 0, 0, 0, 5))
    file = tmp_path / "cpu.pb.gz"
    file.write_bytes(pprof.profile(names, costs))
    asked = [go, "tool", "pprof", "-top", "-nodefraction=0"]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PPROF_TMPDIR": str(tmp_path)}
    for kind, of_main, of_within, every in (("cycles", 600, 9000, 9605), ("hitms", 0, 400, 400)):
        done = subprocess.run([*asked, f"-sample_index={kind}", file], capture_output=True, text=True, env=env)
        assert done.returncode == 0, done.stderr
        flat = {line.split()[-1]: int(line.split()[0]) for line in done.stdout.splitlines() if line.strip()[:1].isdigit() and "%" in line}
        assert flat.get("within", 0) == of_within and flat.get("main", 0) == of_main and sum(flat.values()) == every
    done = subprocess.run([go, "tool", "pprof", "-raw", file], capture_output=True, text=True, env=env)
    assert "told.c" in done.stdout and f"{within + 8:#x}" in done.stdout
