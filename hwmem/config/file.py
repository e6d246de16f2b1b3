"""Machine configurations as TOML text: errors are reported with their line, and a file is written whole or not at all.

A file has the settings of machine.py under their names, one table for each part of the machine:

    base = "skylake-sp"             # optional: the preset that fills what the file leaves out ("generic" without it)
    cores = 8
    l2 = "none"                     # TOML has no null: "none" removes a level

    [l1d]
    size = "64KiB"

    [sources]                       # optional: where figures come from; presets have one for every setting
    "l1d.size" = "published: ..."
    kernel = "assumed: ..."         # for the whole table

machine.py calls this with its own `build`, which takes the parsed table and reports errors in a line that begins with the setting's dotted
name; load() finds that setting's line in the text. This file has no knowledge of any setting.
"""

import re
import tomllib
from pathlib import Path

PRESETS = Path(__file__).parent.parent / "presets"
FIRST = ("generic", "classroom")  # of the list of presets
UNSOURCED = ("name", "description")


def preset_names():
    """Names of the presets: the teaching machines first, then processors in alphabetical order."""
    names = sorted(path.stem for path in PRESETS.glob("*.toml"))
    return [*FIRST, *(name for name in names if name not in FIRST)]


def load(path, build):
    """`build(table)` for the TOML file at `path`; errors get "path:line: " in front.

    Raises ValueError for text that is not TOML, OSError for a file that cannot be read, and what `build` raises.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start} is not UTF-8") from None
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(syntax_error(path, text, str(error))) from None
    try:
        return build(table)
    except (TypeError, ValueError) as error:
        line = line_of(text, str(error).split(" ", 1)[0])
        raise type(error)(f"{path}:{line}: {error}" if line else f"{path}: {error}") from None


def syntax_error(path, text, message):
    """tomllib's message with its place in front: it ends in "(at line 3, column 5)" or "(at end of document)"."""
    match = re.search(r" \(at line (\d+), (column \d+)\)$", message)
    if match:
        return f"{path}:{match[1]}: not TOML: {message[: match.start()]} ({match[2]})"
    if message.endswith("(at end of document)"):
        return f"{path}:{len(text.splitlines())}: not TOML: {message}"
    return f"{path}: not TOML: {message}"


def line_of(text, path):
    """Number of the line that sets the dotted `path`, or the nearest table around it; None if neither is there."""
    lines, table = {}, ""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line.startswith("["):
            table = line.split("#")[0].strip("[] ") + "."
            lines.setdefault(table[:-1], number)
        elif "=" in line:
            lines.setdefault(table + line.split("=")[0].strip(" \"'"), number)
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines.get(path)


def take_sources(table):
    """Removes the [sources] table and returns it, checked: dict of dotted setting -> text."""
    sources = table.pop("sources", {})
    if not isinstance(sources, dict):
        raise TypeError(f'sources must be a table of setting = "source", not {sources!r:.60}')
    settings = leaves(table)
    for path, text in sources.items():
        if not isinstance(text, str):
            raise TypeError(f"sources.{path} must be text (a dotted name needs quotes), not {text!r:.60}")
        if not any(s == path or s.startswith(path + ".") for s in settings):
            raise ValueError(f"sources.{path} names no setting of this file")
    return sources


def leaves(table, prefix=""):
    """Dotted names of all values in nested dicts."""
    names = []
    for key, value in table.items():
        names += leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
    return names


def unsourced(table, sources):
    """Dotted names of the settings that neither have a source nor lie in a table that has one."""
    return [path for path in leaves(table) if path not in UNSOURCED and path not in sources and path.split(".")[0] not in sources]


def dump(config):
    """TOML text of a record: scalars, then one table for each nested record, each setting with what it means."""
    lines, tables = [], []
    for name in config.kinds():
        value = getattr(config, name)
        if hasattr(value, "kinds"):
            tables += ["", f"[{name}]", *(setting_line(value, key) for key in value.kinds())]
        else:
            lines.append(setting_line(config, name))
    return "\n".join(lines + tables) + "\n"


def setting_line(record, name):
    """`name = value  # meaning`"""
    spec = record.__dataclass_fields__[name].metadata
    text = f"{name} = {spec['kind'].toml(getattr(record, name))}"
    return f"{text:<31} # {spec['doc']}"
