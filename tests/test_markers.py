"""The markers mean what CONTRIBUTING.md says of them."""

import importlib.util
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = importlib.util.spec_from_file_location("shared_conftest", ROOT / "tests" / "conftest.py")  # folders have a conftest each
conftest = importlib.util.module_from_spec(SHARED)
SHARED.loader.exec_module(conftest)
slow_tests, function_of = conftest.slow_tests, conftest.function_of


def test_what_is_listed_as_slow_exists():
    wrong = []
    for name in slow_tests():
        path, *parts = name.split("::")
        file = ROOT / path
        if not file.is_file() or (parts[-1].startswith("test_") and f"def {parts[-1]}(" not in file.read_text()):
            wrong.append(name)
    assert wrong == []


def test_a_tests_name_is_that_of_its_function():
    assert function_of("tests/a/test_b.py::test_c[x-1]") == "tests/a/test_b.py::test_c"
