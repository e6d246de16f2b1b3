"""The documents' blocks, by what they are; test_docs.py holds each to it.

    ```console     commands behind "$ ", each with what it prints; a line "..." stands for any lines
    ```sh          commands to type; the project's own must be ones that its commands take
    ```python      run one after another, the document's names in common
    ```output      what the Python block above it prints
    ```toml        a configuration
    ```litmus      a litmus test
    ```c           the source of a recorded program
    ```go          a Go file, its name in the first line
    ```text        a drawing, a form, figures of another day or machine: not checked

With HWMEM_UPDATE_DOCS=1 what consoles and outputs show is written anew, but where "..." stands.
"""

import lzma
import os
import pathlib
import re
import shlex
import shutil
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
KINDS = ("console", "sh", "python", "output", "toml", "litmus", "c", "go", "text")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
ANYTHING = re.compile(r"^\.\.\.\n", re.M)
UPDATE = bool(os.environ.get("HWMEM_UPDATE_DOCS"))


class Block(NamedTuple):
    page: pathlib.Path
    line: int
    kind: str
    text: str

    def __str__(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(*kinds):
    """All blocks of the documents, or those of some kinds."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            found.append(Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2]))
    return [block for block in found if not kinds or block.kind in kinds]


def fill(folder):
    """Put the files that the documents speak of into `folder`."""
    data = ROOT / "tests" / "trace" / "data"
    for file in (data / "sort.lackey.xz", *(data / "counters").iterdir()):  # a recorded program, its source and its trace
        shutil.copy(file, folder)
    (folder / "counters").write_bytes(lzma.decompress((folder / "counters.xz").read_bytes()))
    for block in blocks("toml"):
        (folder / "box.toml").write_text(block.text)
    for block in blocks("go"):
        (folder / block.text.split()[1]).write_text(block.text)
    for block in blocks("litmus"):
        (folder / f"{block.text.split()[1]}.litmus").write_text(block.text)


def sessions(text):
    """[(command, what is shown of its output)] of a console."""
    parts = re.split(r"^\$ (.*)\n", text, flags=re.M)
    assert parts[0] == "", "a console begins with a command"
    return list(zip(parts[1::2], parts[2::2]))


def commands(line):
    """The commands of a line as lists of words, without comments: "a; b && c" are three."""
    words = shlex.split(line, comments=True)
    found = [[]]
    for word in words:
        if word == "&&":
            found.append([])
        elif word.endswith(";"):
            found[-1].append(word[:-1])
            found.append([])
        else:
            found[-1].append(word)
    return [one for one in found if one]


def shows(shown, printed):
    """Whether the output that a document shows is what was printed."""
    if not ANYTHING.search(shown):
        return shown == printed
    for piece in filter(None, ANYTHING.split(shown)):
        if piece not in printed:
            return False
        printed = printed[printed.index(piece) + len(piece) :]
    return True


def replace(block, old, new):
    """Write a block's text anew into its page."""
    text = block.page.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{block}: cannot tell where it stands"
    block.page.write_text(text.replace(old, new), encoding="utf-8")
