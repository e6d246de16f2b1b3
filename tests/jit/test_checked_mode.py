"""Checked mode: with HWMEM_CHECK=1 what would reach memory of the host's, or past an array, is a MachineError."""

import os
import subprocess
import sys

import pytest

from hwmem._jit import JIT_DISABLED
from jit.programs import ROOT, run, write

pytestmark = pytest.mark.skipif(JIT_DISABLED, reason="nothing is compiled")
HEAD = """
    import ctypes, json, mmap
    import numpy as np
    from hwmem._jit import kernel
    from hwmem.errors import MachineError
    from hwmem.memory import ram
    from hwmem.memory.host import HostMemory
    mapping = HostMemory(1 << 20, "a test")
    start = mapping.address
    end = start + (1 << 20)
    neighbour = ctypes.create_string_buffer(b"untouched" * 10)      # memory of the host's
"""
REACHES = {  # a kernel's body and its argument
    "a byte before": ("return ram.peek8(x)", "start - 1"),
    "a byte after": ("return ram.peek8(x)", "end"),
    "half behind the end": ("return ram.peek64(x)", "end - 4"),
    "none at all": ("return ram.peek64(x)", "0"),
    "another object": ("ram.poke64(x, 0)", "ctypes.addressof(neighbour)"),
    "a negative address": ("ram.poke8(x, 0)", "-2"),
    "zeroing too much": ("ram.zero_bytes(x, 4097)", "end - 4096"),
    "zeroing a negative size": ("ram.zero_bytes(x, -1)", "start"),
    "copying from elsewhere": ("ram.copy_bytes(x, x + (1 << 20), 8)", "start - (1 << 20)"),
    "giving back what is another's": ("ram.release_host(x, 4096)", "end"),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """By name of REACHES, what became of it."""
    body = [HEAD, "    answers = {}"]
    for k, (name, (does, argument)) in enumerate(REACHES.items()):
        body.append(f"""
    @kernel
    def reach{k}(x):
        {does}
    try:
        reach{k}({argument})
        answers[{name!r}] = "went through"
    except MachineError as error:
        answers[{name!r}] = str(error)
""")
    body.append("""
    assert neighbour.raw.startswith(b"untouched" * 10)
    print(json.dumps(answers))
""")
    file = write(tmp_path_factory.mktemp("reaches") / "reaches.py", "".join(body))
    return run(file, HWMEM_CHECK="1")[0]


@pytest.mark.parametrize("name", REACHES)
def test_no_access_reaches_memory_that_is_not_the_machines(answers, name):
    assert "which is no machine's memory" in answers[name], answers[name]


def test_what_is_the_machines_may_be_reached_until_it_is_gone(tmp_path):
    answer, _ = run(
        write(
            tmp_path / "gone.py",
            HEAD
            + """
    @kernel
    def both(x):
        ram.poke64(x, 7)
        ram.copy_bytes(x, x + 8, 8)
        return ram.peek64(x + 8)
    answer = [both(start), both(end - 16)]
    del mapping
    try:
        both(start)
    except MachineError as error:
        answer.append("gone")
    print(json.dumps(answer))
    """,
        ),
        HWMEM_CHECK="1",
    )
    assert answer == [7, 7, "gone"]


def test_an_index_outside_an_array_ends_the_kernel_and_names_it(tmp_path):
    """In the user's own kernel, and in one of the project's that it calls with a wrong record."""
    answer, _ = run(
        write(
            tmp_path / "indices.py",
            HEAD
            + """
    @kernel
    def own(array, i):
        return array[i]
    from hwmem.layout import MACHINE
    from hwmem.kernels import clock
    state = np.zeros(1, MACHINE).view(np.recarray)[0]
    def said(f, *arguments):
        try:
            return int(f(*arguments))
        except MachineError as error:
            return str(error)
    array = np.arange(4)
    print(json.dumps([said(own, array, i) for i in (3, -1, 4, -5, 1 << 62)] + [said(clock, state, t) for t in (0, -1, 1 << 40)]))
    """,
        ),
        HWMEM_CHECK="1",
    )
    assert answer[:2] == [3, 3], "Python's meaning of a negative index stays"
    assert all("own" in text and "out of bounds" in text for text in answer[2:5]), answer
    assert answer[5] == 0 and all("out of bounds" in text and "clock" in text for text in answer[6:]), answer


def test_a_program_with_a_wrong_thread_number_ends_in_one_line(tmp_path):
    program = write(
        tmp_path / "wrong.py",
        """
        import hwmem
        from hwmem.kernels import finish, load64, next_thread

        @hwmem.workload("wrong", "acts as a thread that is none", setup=lambda w, space: None)
        def wrong(m, w):
            while True:
                t = next_thread(m)
                if t < 0:
                    return
                load64(m, 123456789, 0)
                finish(m, t)
    """,
    )
    done = subprocess.run(
        [sys.executable, "-m", "hwmem", "run", str(program)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"HWMEM_CHECK": "1"},
    )
    assert done.returncode == 1, done.stderr
    assert "out of bounds" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr, done.stderr


def test_checked_commands_end_well():
    """Every index and host address of all that they reach is checked. In one process, which compiles what they have in common once."""
    commands = (
        "hwmem run false-sharing --alone",
        "hwmem trace tests/oracles/programs/counters.lackey.xz --top 0",
        "goalloc run explicit-gc --set objects=2000 cycles=2",
    )
    code = """
        import contextlib, io, json, sys
        import goalloc.cli.cli, hwmem.cli.cli
        mains, ended = {"hwmem": hwmem.cli.cli.main, "goalloc": goalloc.cli.cli.main}, []
        for command in sys.argv[1:]:
            name, *words = command.split()
            with contextlib.redirect_stdout(io.StringIO()) as out:
                ended.append([mains[name](words), len(out.getvalue()) > 500])
        print(json.dumps(ended))
    """
    assert run(code, *commands, cwd=ROOT, HWMEM_CHECK="1")[0] == [[0, True]] * len(commands)


def test_a_checked_machine_gives_the_same_numbers(seed):
    from mixture import mixtures

    assert run(ROOT / "tests" / "mixture.py", 3000, seed, HWMEM_CHECK="1")[0] == mixtures(3000, seed)
