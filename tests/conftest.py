"""What all tests share: this tree's packages, hypothesis without deadlines (the first call compiles), seeds.

A randomised test's seed comes from its name, so that two runs of the suite test the same. HWMEM_TEST_SEED=fresh asks for
new ones, hypothesis's examples too; HWMEM_TEST_SEED=<number> repeats with a seed that a failure printed.

Before tests run in several processes, all doors are compiled, on all idle cores: each process would compile for itself what the others are
about to. Bytecode is kept, for tests start many processes.

What `slow` is, slow.txt says: a function of which a case takes more than SLOW_SECONDS once compiled, and the seconds of all its cases, by
which files are handed to processes: the longest first, so that none is left at the end. HWMEM_UPDATE_SLOW=1 measures those that run and
writes it anew (the second of two runs, so that nothing is compiled). `oracle` and `live` stand in their files.
"""

import gc
import os
import pathlib
import random
import subprocess
import sys
import zlib
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

os.environ["COLUMNS"] = "100"  # of the screen, wherever the tests run
TESTS = pathlib.Path(__file__).resolve().parent
ROOT = TESTS.parent
for folder in (TESTS, ROOT):  # models.py, kernels_under_test.py; hwmem of this tree
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

CACHE = os.environ.get("NUMBA_CACHE_DIR") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "hwmem")
os.environ.setdefault("GOCACHE", os.path.join(CACHE, "go"))  # Go's packages are compiled once for all tests that build programs of Go
if sys.dont_write_bytecode:  # beside the sources: but elsewhere it may be
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = os.path.join(CACHE, "bytecode")
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

SLOW, SLOW_SECONDS = TESTS / "slow.txt", 1.0
MEASURED: dict = {}  # function: seconds of its slowest case, of all
GARBAGE = 20_000  # objects between two collections of Python's own
QUICK_SECONDS = 0.03  # what others take, on average
SEED = os.environ.get("HWMEM_TEST_SEED", "")
settings.register_profile(
    "hwmem",
    deadline=None,
    print_blob=True,
    derandomize=SEED != "fresh",
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "hwmem"))


@pytest.fixture
def seed(request):
    """A seed for this test; printed, so that a failure shows it."""
    number = random.SystemRandom().randrange(1 << 31) if SEED == "fresh" else int(SEED or zlib.crc32(request.node.nodeid.encode()) >> 1)
    print(f"HWMEM_TEST_SEED={number}")
    return number


def function_of(nodeid):
    """A test's name without its case."""
    return nodeid.partition("[")[0]


def slow_tests():
    """{function: seconds of all its cases}, as slow.txt has it."""
    return {name: int(seconds) for name, seconds in map(str.split, SLOW.read_text().splitlines())}


def pytest_sessionstart(session):
    """Of the whole suite in several processes, in the one that starts the others."""
    config = session.config
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not config.option.collectonly
    if whole and getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        subprocess.run([sys.executable, "-m", "tests.doors"], cwd=ROOT, check=True)


def pytest_collection_modifyitems(config, items):
    slow = slow_tests()
    for item in items:
        if function_of(item.nodeid) in slow:
            item.add_marker(pytest.mark.slow)
    if hasattr(config, "workerinput"):  # whole files go to processes in this order
        seconds = Counter()
        for item in items:
            seconds[item.path] += QUICK_SECONDS
        for name, path in {function_of(item.nodeid): item.path for item in items}.items():
            seconds[path] += slow.get(name, 0)
        items.sort(key=lambda item: -seconds[item.path])


def pytest_collection_finish():
    """What there is now stays to the end, and tests make many objects and little garbage: Python's collector need not look so often."""
    gc.freeze()
    gc.set_threshold(GARBAGE, 5, 5)  # and machines that wait for it have memory


def pytest_runtest_logreport(report):
    if report.when == "call":
        most, total = MEASURED.get(function_of(report.nodeid), (0.0, 0.0))
        MEASURED[function_of(report.nodeid)] = max(report.duration, most), total + report.duration


def pytest_sessionfinish(session):
    if os.environ.get("HWMEM_UPDATE_SLOW") and not hasattr(session.config, "workerinput"):
        slow = {name: seconds for name, seconds in slow_tests().items() if name not in MEASURED}
        slow |= {name: max(1, round(total)) for name, (most, total) in MEASURED.items() if most > SLOW_SECONDS}
        SLOW.write_text("".join(f"{name} {seconds}\n" for name, seconds in sorted(slow.items())))
