"""The examples that docs/go.md gives run."""

import pathlib
import re

DOC = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "go.md"


def test_the_examples_run_one_after_another(capsys):
    names = {}
    for example in re.findall(r"```python\n(.*?)```", DOC.read_text(encoding="utf-8"), re.S):
        exec(compile(example, str(DOC), "exec"), names)
    assert capsys.readouterr().out.startswith("6 ")
    assert (names["node"], names["numbers"].array) == (0x40C0_0000_0000, 0x40C0_0080_0000 - 800) and names["kept"] < names["node"]
