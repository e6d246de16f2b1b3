"""The compile cache follows edits; kernels give the same numbers unjitted, with bounds checks, and in another process."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap

import pytest

from hwmem._jit import JIT_DISABLED
from hwmem.errors import MachineError
from hwmem.machine.machine import Machine
from mixture import mixtures

ROOT = pathlib.Path(__file__).resolve().parent.parent
MIXTURE = ROOT / "tests" / "mixture.py"

USER_KERNEL = """
    import json, sys
    from hwmem import params as P
    from hwmem._jit import kernel
    from hwmem.bits import bit

    OWN = 1

    @kernel
    def answer(n):
        return int(bit(n)) * P.LINE + OWN

    result = answer(3)
    print(json.dumps([result, sum(answer.stats.cache_hits.values()), sum(answer.stats.cache_misses.values())]))
"""


def run(code_or_file, *arguments, cwd=None, tree=ROOT, **environment):
    """Run a program in a process of its own with `tree`'s packages; its standard output's JSON, and its standard error."""
    command = [sys.executable, *(["-c", textwrap.dedent(code_or_file)] if "\n" in str(code_or_file) else [str(code_or_file)]), *map(str, arguments)]
    paths = [str(tree), str(ROOT / "tests")]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.fixture
def copy(tmp_path):
    """A copy of the package, a user's file beside it, and a function that runs it: [result, cache hits, cache misses]."""
    shutil.copytree(ROOT / "hwmem", tmp_path / "hwmem", ignore=shutil.ignore_patterns("__pycache__"))
    user = tmp_path / "user.py"
    user.write_text(textwrap.dedent(USER_KERNEL))

    def result():
        return run(user, cwd=tmp_path, tree=tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"))[0]
    return tmp_path, result


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    stamp = path.stat()
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1_000_000_000))      # Python's own cache sees the edit too


def test_a_kernel_is_taken_from_the_cache_until_an_edit_reaches_it(copy):
    folder, result = copy
    assert result() == [8 * 64 + 1, 0, 1]
    assert result() == [8 * 64 + 1, 1, 0]
    edit(folder / "hwmem" / "params.py", "LINE = 64", "LINE = 128")
    assert result() == [8 * 128 + 1, 0, 1], "a constant of another file"
    assert result() == [8 * 128 + 1, 1, 0]
    edit(folder / "hwmem" / "bits.py", "return ONE << np.uint64(n)", "return ONE << np.uint64(n + 1)")
    assert result() == [16 * 128 + 1, 0, 1], "a kernel that it calls"
    edit(folder / "user.py", "OWN = 1", "OWN = 2")
    assert result() == [16 * 128 + 2, 0, 1], "its own file"
    edit(folder / "hwmem" / "params.py", "LINE = 128", "LINE = 64")
    edit(folder / "hwmem" / "bits.py", "np.uint64(n + 1)", "np.uint64(n)")
    assert result()[0] == 8 * 64 + 2, "an edit taken back"


def test_an_edit_that_cannot_reach_a_kernel_leaves_its_code_in_the_cache(copy):
    folder, result = copy
    result()
    with open(folder / "hwmem" / "trace" / "parse.py", "a", encoding="utf-8") as file:
        file.write("\n# edited\n")
    with open(folder / "hwmem" / "cache" / "directory.py", "a", encoding="utf-8") as file:
        file.write("\n# edited\n")
    assert result() == [8 * 64 + 1, 1, 0]


def test_a_source_stamp_changes_with_every_file_that_is_imported_directly_or_not(monkeypatch):
    from hwmem import _jit

    here = ROOT / "hwmem" / "core" / "access.py"
    reached = {ROOT / "hwmem" / name for name in ("core/access.py", "params.py", "_jit.py", "memory/ram.py")}
    stamp = _jit.source_stamp(here)
    assert stamp == _jit.source_stamp(here)
    for edited in (ROOT / "hwmem").rglob("*.py"):
        read = dict(_jit._bytes_of)
        monkeypatch.setitem(_jit._bytes_of, edited, edited.read_bytes() + b"\n# edited\n")
        changed = _jit.source_stamp(here) != stamp
        monkeypatch.undo()
        _jit._bytes_of.clear()
        _jit._bytes_of.update(read)
        if edited in reached:
            assert changed, edited
        if edited == ROOT / "hwmem" / "cache" / "directory.py":
            assert not changed, edited


def test_bounds_checks_make_another_stamp(monkeypatch):
    from hwmem import _jit

    plain = _jit.source_stamp(ROOT / "hwmem" / "bits.py")
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1" if os.environ.get("NUMBA_BOUNDSCHECK", "") != "1" else "0")
    assert _jit.source_stamp(ROOT / "hwmem" / "bits.py") != plain


def test_the_same_seed_gives_the_same_numbers_in_another_process(seed):
    assert run(MIXTURE, 3000, seed)[0] == mixtures(3000, seed)


def test_another_seed_gives_other_numbers(seed):
    assert mixtures(300, seed) != mixtures(300, seed + 1)


def test_unjitted_kernels_give_the_same_numbers(seed):
    """Everything in plain Python, without a word from numpy about overflow."""
    unjitted, complaints = run(MIXTURE, 120, seed, NUMBA_DISABLE_JIT="1")
    assert unjitted == mixtures(120, seed)
    assert "Warning" not in complaints, complaints[-2000:]


def test_with_bounds_checks_no_index_is_out_of_bounds(seed):
    checked, complaints = run(MIXTURE, 3000, seed, NUMBA_BOUNDSCHECK="1")
    assert "IndexError" not in complaints and "out of bounds" not in complaints, complaints[-2000:]
    assert checked == mixtures(3000, seed)


def test_the_cache_lies_where_it_is_told_to(tmp_path):
    (tmp_path / "user.py").write_text(textwrap.dedent(USER_KERNEL))
    told, default = {"NUMBA_CACHE_DIR": str(tmp_path / "told")}, {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    for environment, place in ((told, "told"), (default, "xdg/hwmem")):
        run(tmp_path / "user.py", cwd=tmp_path, **environment)
        assert list((tmp_path / place).rglob("*.nbi")), place


def test_every_door_of_the_tables_has_its_kernel_in_the_file_that_it_names():
    import goalloc.params
    from hwmem import params
    from hwmem._jit import DOORS

    named = {name: number for names in (vars(params), vars(goalloc.params)) for name, number in names.items() if name.startswith("DOOR_")}
    del named["DOOR_FILES"]
    assert sorted(named.values()) == sorted(params.DOOR_FILES), "no number twice"
    for name, number in named.items():
        assert (number < 32) == params.DOOR_FILES[number][0].startswith("hwmem."), name
        assert DOORS.function(number).__module__ == params.DOOR_FILES[number][0], name


def test_a_door_is_bound_when_it_is_first_called_and_a_new_machine_has_the_bound_ones():
    bound, _ = run("""
        import json
        import hwmem
        from hwmem import params as P
        from hwmem._jit import DOORS
        machines = [hwmem.Machine() for _ in range(2)]
        process = machines[0].spawn()
        def slots(m):
            return [bool(m.state.doors[n] == DOORS._addresses[n]) for n in (P.DOOR_LIBC, P.DOOR_RACES)]
        answer = [slots(m) for m in machines]
        hwmem.libc.Malloc(process).malloc(100)
        print(json.dumps(answer + [slots(m) for m in [*machines, hwmem.Machine()]]))
    """)
    assert bound == [[False, False], [False, False], [True, False], [False, False], [True, False]]


@pytest.mark.skipif(JIT_DISABLED, reason="without the JIT a door is an ordinary call")
@pytest.mark.parametrize("wrong, raised, words", [
    (None, MachineError, "no kernel is behind door 127"),
    (MachineError("its own words"), MachineError, "its own words"),
    (OSError(28, "No space left on device"), MachineError, "No space left on device"),
    (KeyboardInterrupt("stopped"), KeyboardInterrupt, "stopped"),
])
def test_what_keeps_a_door_from_being_bound_ends_the_call_and_the_machine_goes_on(monkeypatch, wrong, raised, words):
    from hwmem._jit import DOORS
    from hwmem.machine.enter import enter

    machine = Machine()
    process = machine.spawn()
    t = process.thread_on(0)
    if wrong:
        def fail(number, record_type):
            raise wrong
        monkeypatch.setattr(DOORS, "compile", fail)
    with pytest.raises(raised, match=words):
        enter(machine.state, 127, t, 0, 0, 0, 0)
    monkeypatch.undo()
    address = process.mmap(0, 4096)
    process.store(address, 7)
    assert process.load(address) == 7


def test_importing_the_package_compiles_nothing():
    """Importing is for everybody; compiling is for those who make a machine."""
    compiled, _ = run("""
        import json
        import hwmem.machine.machine, hwmem.machine.process, hwmem.kernels
        from hwmem.core.access import load64
        from hwmem.machine.accesses import touch_pages
        print(json.dumps([len(load64.overloads), len(touch_pages.overloads)]))
    """)
    assert compiled == [0, 0]
