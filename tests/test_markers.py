"""The markers mean what CONTRIBUTING.md says of them."""

import pathlib

from conftest import SLOW, function_of

ROOT = pathlib.Path(__file__).resolve().parent.parent


def test_what_is_listed_as_slow_exists():
    wrong = []
    for name in SLOW.read_text().split():
        path, *parts = name.split("::")
        file = ROOT / path
        if not file.is_file() or (parts[-1].startswith("test_") and f"def {parts[-1]}(" not in file.read_text()):
            wrong.append(name)
    assert wrong == []


def test_a_tests_name_is_that_of_its_function():
    assert function_of("tests/a/test_b.py::test_c[x-1]") == "tests/a/test_b.py::test_c"
