"""The example that docs/go.md gives runs."""
import pathlib
import re

DOC = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "go.md"


def test_the_example_runs(capsys):
    example = re.search(r"```python\n(.*?)```", DOC.read_text(encoding="utf-8"), re.S)[1]
    exec(compile(example, str(DOC), "exec"), {})
    assert capsys.readouterr().out.startswith("6 ")
