"""What the tests of traces share: recorded runs of real programs, cachegrind's answers, the compiled reference."""

import json
import lzma
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))  # tools.py and replay.py, whatever pytest's import mode

import tools  # noqa: E402

DATA = HERE / "data"
PROGRAMS = ("sort", "gzip", "mawk")


@pytest.fixture(params=PROGRAMS)
def program(request):
    """The name of a recorded program."""
    return request.param


@pytest.fixture
def recorded(program):
    """The path of its trace."""
    return DATA / f"{program}.lackey.xz"


@pytest.fixture
def recorded_text(recorded):
    return lzma.decompress(recorded.read_bytes())


@pytest.fixture
def cachegrinds_answers(program):
    """What cachegrind said of the program: a list of {"i1", "d1", "ll": [sets, ways], "events"}."""
    return json.loads((DATA / "cachegrind.json").read_text())[program]


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """The compiled cachegrind_ref.c."""
    if reason := tools.missing("cc"):
        pytest.skip(reason)
    return tools.compile_reference(tmp_path_factory.mktemp("reference"))


@pytest.fixture
def live_folder(tmp_path):
    """A folder with a small text, to run programs on under valgrind."""
    (tmp_path / "text").write_text("".join(f"{n * 37 % 101} fault\n" for n in range(25)))
    return tmp_path
