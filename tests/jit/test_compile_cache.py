"""The compile cache: it follows edits, in the user's files too, and whatever happens to its files costs time and nothing else."""

import os
import subprocess
import sys
import time

import pytest

from hwmem._jit import JIT_DISABLED
from jit.programs import ROOT, copy_package, edit, run, write

pytestmark = pytest.mark.skipif(JIT_DISABLED, reason="nothing is compiled")
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


HELPERS = {  # a helper in another file of the user's, and how the kernel's file gets it
    "beside it": ("helper.py", "from helper import amount"),
    "as a module": ("helper.py", "import helper as h; amount = h.amount"),
    "in a package": ("parts/helper.py", "from parts.helper import amount"),
    "elsewhere on the path": ("elsewhere/helper.py", "import sys; sys.path.insert(0, 'elsewhere'); from helper import amount"),
    "through a third file": ("deep.py", "from between import amount"),
}


@pytest.fixture
def copy(tmp_path):
    """A copy of the package, a user's file beside it, and a function that runs it: [result, cache hits, cache misses]."""
    copy_package(tmp_path)
    return tmp_path, user_program(tmp_path, tmp_path)


def user_program(folder, tree):
    """A user's file in `folder`, and a function that runs it: [result, cache hits, cache misses]."""
    user = write(folder / "user.py", USER_KERNEL)
    return lambda: run(user, cwd=folder, tree=tree, NUMBA_CACHE_DIR=str(folder / "cache"))[0]


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


@pytest.mark.parametrize("file, how", HELPERS.values(), ids=HELPERS)
def test_an_edit_of_a_helper_in_another_file_of_the_users_reaches_the_kernel(tmp_path, file, how):
    helper = write(
        tmp_path / file,
        """
        from hwmem._jit import kernel
        @kernel
        def amount():
            return 1
    """,
    )
    write(tmp_path / "between.py", "from deep import amount" if file == "deep.py" else "")
    user = write(
        tmp_path / "user.py",
        f"""
        import json
        from hwmem._jit import kernel
        {how}
        @kernel
        def total(n):
            return n + amount()
        print(json.dumps(total(5)))
    """,
    )
    total = lambda: run(user, cwd=tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"))[0]  # noqa: E731
    assert (total(), total()) == (6, 6)
    edit(helper, "return 1", "return 1000")
    assert (total(), total()) == (1005, 1005)


def test_a_source_stamp_changes_with_every_file_that_is_imported_directly_or_not(tmp_path):
    copy_package(tmp_path)

    reached = {
        "core/access.py": True,
        "params.py": True,
        "_jit/compiler.py": True,
        "memory/ram.py": True,
        "cache/directory.py": False,
        "linux/fault.py": False,
    }
    program = """
        import json, os, pathlib, sys, hwmem
        from hwmem._jit import source_stamp
        folder = pathlib.Path(hwmem.__file__).parent
        def stamp():
            reader, writer = os.pipe()
            if os.fork() == 0:                      # each a process of its own, as a user's are
                os.write(writer, source_stamp(folder / "core" / "access.py").encode())
                os._exit(0)
            os.close(writer)
            os.wait()
            with open(reader) as file:
                return file.read()
        stamps = [stamp(), stamp()]
        for name in sys.argv[1:]:
            with open(folder / name, "a", encoding="utf-8") as file:
                file.write("# edited\\n")
            stamps.append(stamp())
        print(json.dumps(stamps))
    """
    (first, known, *stamps), _ = run(program, *reached, cwd=tmp_path, tree=tmp_path, NUMBA_DISABLE_JIT="1")
    assert first == known and len(first) > 20
    changed = [stamp != before for before, stamp in zip([known, *stamps], stamps)]
    assert dict(zip(reached, changed)) == reached


@pytest.fixture
def filled(tmp_path):
    """A user's program that has run once; its result function, and the one file of its cache."""
    result = user_program(tmp_path, ROOT)
    assert result() == [8 * 64 + 1, 0, 1]
    [file] = (tmp_path / "cache").rglob("*.nbc")
    return result, file


DAMAGER = """
    import json, random, sys
    from pathlib import Path
    from hwmem._jit import kernel
    import user

    files = list(Path(sys.argv[1]).rglob("*.nbc"))              # what was run as a program has code of its own, an older file
    file = max(files, key=lambda path: path.stat().st_mtime_ns)
    whole, draw = file.read_bytes(), random.Random(int(sys.argv[2]))
    damages = [b"", whole[:31], whole[:len(whole) // 2], whole[:-1], whole + b"x", bytes(len(whole)), b"not a cache file"]
    for _ in range(20):
        k = draw.randrange(len(whole))
        damages.append(whole[:k] + bytes([whole[k] ^ 1 << draw.randrange(8)]) + whole[k + 1:])

    def again():
        answer = kernel(user.answer.py_func)                    # as another process finds it
        return answer(3), sum(answer.stats.cache_hits.values())

    seen = set()
    for damaged in damages:
        file.write_bytes(damaged)
        seen.add((*again(), *again()))
    print(json.dumps([len(damages), *map(list, seen)]))
"""


def test_a_damaged_file_is_compiled_again_and_mended(filled, seed):
    """Any bit, any truncation, other bytes: never a wrong result, a crash or a message."""
    result, file = filled
    folder = file.parents[2]
    edit(folder / "user.py", "print(", "__name__ == '__main__' and print(")
    assert result() == [8 * 64 + 1, 0, 1]
    damager = write(folder / "damager.py", DAMAGER)
    answer, said = run(damager, file.parents[1], seed, cwd=folder, NUMBA_CACHE_DIR=str(file.parents[1]))
    assert answer == [27, [8 * 64 + 1, 0, 8 * 64 + 1, 1]] and without_progress(said) == []


def test_code_of_another_processor_is_not_run(filled):
    result, file = filled
    assert run(file.parents[2] / "user.py", NUMBA_CACHE_DIR=str(file.parents[1]), NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")[0] == [
        8 * 64 + 1,
        0,
        1,
    ]
    assert result() == [8 * 64 + 1, 1, 0], "each has its file"


def test_an_edit_leaves_no_old_code_behind(filled):
    result, file = filled
    edit(file.parents[2] / "user.py", "OWN = 1", "OWN = 2")
    assert result() == [8 * 64 + 2, 0, 1]
    assert len(list(file.parent.glob("*.nbc"))) == 1 and not file.exists()


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null/cache", "/dev/full"])
def test_where_nothing_can_be_kept_a_run_says_so_in_one_line_and_goes_on(tmp_path, place):
    user = write(tmp_path / "user.py", USER_KERNEL)
    for _ in range(2):
        result, said = run(user, cwd=tmp_path, NUMBA_CACHE_DIR=place)
        assert result == [8 * 64 + 1, 0, 1]
        [line] = without_progress(said)
        assert "compiled code cannot be kept in" in line and place in line, said


def without_progress(said):
    """The lines on stderr, but those of a compiler that takes longer than a second (on a busy host)."""
    return [line for line in said.splitlines() if "compiling, once" not in line]


def test_on_a_full_disk_a_run_says_so_in_one_line_and_leaves_nothing(tmp_path):
    """RLIMIT_FSIZE stands in for the disk: the file ends after 4 KiB."""
    write(tmp_path / "user.py", USER_KERNEL)
    code = (
        "import resource, runpy, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); runpy.run_path('user.py')\n"
    )
    result, said = run(code, cwd=tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"), PYTHONDONTWRITEBYTECODE="1")
    assert result == [8 * 64 + 1, 0, 1]
    [line] = without_progress(said)
    assert "compiled code cannot be kept in" in line, said
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_killed_processs_temporary_files_go(filled):
    result, file = filled
    old, new = file.parent / "x.nbc.1.tmp", file.parent / "y.nbc.2.tmp"
    for left in (old, new):
        left.write_bytes(b"half")
    os.utime(old, (0, 0))
    file.unlink()
    result()
    assert not old.exists() and new.exists(), "what another process may be writing now stays"


def test_the_cache_lies_where_it_is_told_to(tmp_path):
    write(tmp_path / "user.py", USER_KERNEL)
    told, default = {"NUMBA_CACHE_DIR": str(tmp_path / "told")}, {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    for environment, place in ((told, "told"), (default, "xdg/hwmem")):
        run(tmp_path / "user.py", cwd=tmp_path, **environment)
        assert list((tmp_path / place).rglob("*.nbc")), place


SLOWLY = """
    import sys
    from numba.core.dispatcher import _FunctionCompiler
    import user

    def compile(self, *arguments, compile=_FunctionCompiler.compile):
        if self.py_func is user.answer.py_func:
            print("compiles", flush=True)
            sys.stdin.readline()
        return compile(self, *arguments)

    _FunctionCompiler.compile = compile
    print("ready", flush=True)
    sys.stdin.readline()
    answer = user.answer(3)
    print(answer, sum(user.answer.stats.cache_hits.values()), flush=True)
"""


@pytest.mark.parametrize("fate, then", [("ends", "513 1\n"), ("is killed", "compiles\n513 0\n")], ids=["ends", "is killed"])
def test_who_needs_a_kernel_that_another_process_compiles_waits_for_it(tmp_path, fate, then):
    """The first is held up in the middle of compiling."""
    write(tmp_path / "user.py", USER_KERNEL[: USER_KERNEL.index("    result =")])
    write(tmp_path / "slowly.py", SLOWLY)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    first, second = (subprocess.Popen([sys.executable, "slowly.py"], cwd=tmp_path, env=environment, **pipes) for _ in range(2))
    try:
        assert second.stdout.readline() == first.stdout.readline() == "ready\n"
        first.stdin.write("go on\n")
        first.stdin.flush()
        assert first.stdout.readline() == "compiles\n"
        second.stdin.write("go on\n" * 2)
        second.stdin.flush()
        time.sleep(1)
        if fate == "ends":
            first.stdin.write("go on\n")
            first.stdin.flush()
            assert first.stdout.read() == "513 0\n"
        else:
            first.kill()
        assert second.communicate()[0] == then
        assert not list((tmp_path / "cache").rglob("*.lock"))
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()
