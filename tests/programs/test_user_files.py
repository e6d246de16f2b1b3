"""A user's own kernel, by every way in which people bring one: each runs again, after itself and after any other."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNEL = """
import hwmem
from hwmem.kernels import fetch_add64, finish, next_thread

def setup(w, space):
    w.counter = space.map("tickets", 8)

def values(w, space):
    return {"drawn": space.process.load(w.counter)}

@hwmem.workload("own-tickets", "threads draw tickets", setup=setup, values=values, threads=hwmem.parameter(2, "threads", 1, 64))
def tickets(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        fetch_add64(m, t, w.counter, STEP)
        m.thread[t].local[1] += 1
        if m.thread[t].local[1] == 10:
            finish(m, t)
"""
RUN = "print('drawn', hwmem.run('own-tickets').values['drawn'])"
LOOSE = f"""
import hwmem
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("tickets", "tickets.py")
spec.loader.exec_module(module_from_spec(spec))
{RUN}"""
CELL = f"""
import hwmem
code = open("tickets.py").read()
exec(compile(code, "<ipython-input-1-0123456789ab>", "exec"), globals())
{RUN}"""
WAYS = {
    "command": ["-m", "hwmem", "run", "tickets.py", "--alone"],
    "import": ["-c", f"import hwmem, tickets\n{RUN}"],
    "main": ["tickets.py"],
    "pytest": ["-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "test_tickets.py"],
    "loose": ["-c", LOOSE],
    "cell": ["-c", CELL],
}


@pytest.fixture
def folder(tmp_path):
    write(tmp_path)
    return tmp_path


def write(folder, step=1):
    folder.mkdir(exist_ok=True)
    text = KERNEL.replace("STEP", str(step)) + f"\nif __name__ == '__main__' and 'code' not in globals():\n    {RUN}\n"
    (folder / "tickets.py").write_text(text)
    (folder / "test_tickets.py").write_text(f"import hwmem, tickets\ndef test_it():\n    {RUN}\n")


def drawn(folder, way):
    """How many tickets were drawn, started in `folder` in that way."""
    done = subprocess.run(
        [sys.executable, *WAYS[way]], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.replace("drawn=", "drawn ").partition("drawn ")[2].split()[0])


def test_a_kernel_runs_again_in_whatever_way_it_ran_before(folder):
    """There and back: every way stands after every other one, and after itself."""
    order = [*WAYS, *reversed(WAYS)]
    assert [drawn(folder, way) for way in order] == [20] * len(order)


def test_an_edit_is_followed_by_every_way(folder):
    assert drawn(folder, "command") == 20 and drawn(folder, "import") == 20
    write(folder, step=3)
    assert {way: drawn(folder, way) for way in WAYS} == dict.fromkeys(WAYS, 60)


def test_files_of_one_name_in_two_folders_keep_apart(tmp_path):
    for step in (1, 2):
        write(tmp_path / str(step), step)
    for _ in range(2):
        assert [drawn(tmp_path / str(step), "command") for step in (1, 2)] == [20, 40]


def test_a_file_may_import_the_files_beside_it(folder):
    (folder / "steps.py").write_text(
        "from hwmem.kernels import fetch_add64, kernel\n\n@kernel\ndef draw(m, t, va):\n    fetch_add64(m, t, va, 2)\n"
    )
    text = (folder / "tickets.py").read_text().replace("import hwmem\n", "import hwmem\nfrom steps import draw\n", 1)
    (folder / "tickets.py").write_text(text.replace("fetch_add64(m, t, w.counter, 1)", "draw(m, t, w.counter)"))
    assert [drawn(folder, way) for way in ("command", "import", "command")] == [40, 40, 40]


def test_a_file_may_have_the_name_of_a_module_that_python_has(folder):
    (folder / "tickets.py").rename(folder / "json.py")
    command = [sys.executable, "-m", "hwmem", "run", str(folder / "json.py"), "--alone"]
    for _ in range(2):
        assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
