"""C++ symbol names in source notation: _ZN5stats5blockE is stats::block.

Only for what has no debugging information, where the name would be taken from. Needs itanium-demangler (in the extra `symbols`); what it
does not know stays as it is. Parameters are left out, as in the names that DWARF gives: a report has no room for them.
"""

from functools import lru_cache

LONGEST = 2000  # characters; the demangler calls itself for each part


@lru_cache(maxsize=4096)
def demangled(name):
    """A symbol's name for people."""
    if not name.startswith("_Z") or len(name) > LONGEST:
        return name
    try:
        from itanium_demangler import parse

        found = parse(name.partition(".")[0])
        return said(found) or name
    except Exception:  # names come from files, and files from anybody
        return name


def said(node):
    """A parsed name without a function's parameters and result."""
    return "" if node is None else str(node.name if node.kind == "func" else node).removesuffix(" const")
