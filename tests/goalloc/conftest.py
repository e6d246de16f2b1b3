"""One machine for the tests of a module: processes come and go on it, and compiling happens once."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))  # recorded.py


@pytest.fixture(scope="session")
def machine():
    import goalloc.runtime.runtime  # noqa: F401  (its doors)
    from hwmem.config.machine import MachineConfig
    from hwmem.machine.machine import Machine

    return Machine(MachineConfig())


@pytest.fixture
def runtime(machine):
    """Runtimes on the machine, ended after the test; `runtime.end(rt)`: before, by tests that start many."""
    from goalloc.runtime.runtime import Runtime

    started = []

    def start(**arguments):
        started.append(Runtime(machine=machine, **arguments))
        return started[-1]

    def end(rt):
        started.remove(rt)
        rt.process.exit()

    start.end = end
    yield start
    for rt in started:
        rt.process.exit()
