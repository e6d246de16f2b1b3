"""What a function's allocations cost on the emulated machine, each on the heap and on the stack: `goalloc escape FILE.go --cost F`.

On the heap: mallocgc of the right size and pointers, then a store to every word. On the stack: the same stores to one frame, as a
function that is called again and again makes them. Lines are the distinct cache lines of 64 bytes that all runs together write:
a stack frame has the same ones each time, the heap goes on. What the collector does later is not in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from goalloc.escape import types as T
from goalloc.escape.fmt import text
from goalloc.escape.ir import Name, Node
from goalloc.escape.types import Type
from goalloc.kernels import mallocgc
from goalloc.runtime.runtime import Runtime
from goalloc.sizeclasses import class_to_size
from goalloc.types import array, pointer, struct, uint64
from hwmem._jit import kernel
from hwmem.core.access import store64
from hwmem.core.service import drain_all

HMAP = 48  # runtime.hmap; its buckets come later
MOST_BYTES = 32 << 20  # of one allocation's runs together
COLUMNS = ["allocation", "at", "bytes", "size class", "pointers", "goes to", "heap cycles", "stack cycles", "heap lines", "stack lines"]


class Allocation:
    """One place of a function that allocates: where, what, how many bytes (None: known only when it runs), which words are pointers."""

    def __init__(self, n: Node, escapes: bool) -> None:
        self.text, self.at, self.escapes = text(n), n.pos.shown, escapes
        self.size, self.pointers = layout(n)


def layout(n: Node) -> tuple[int | None, list[bool]]:
    """Bytes, and for each word whether it is a pointer. (0, []): nothing is allocated."""
    op = n.op
    if isinstance(n, Name):
        return of_type(n.type)
    if op in ("NEW", "PTRLIT"):
        return of_type(T.under(n.type).elem)
    if op == "SLICELIT":
        return of_type(Type("array", elem=T.under(n.type).elem, len=_count(n)))
    if op == "MAKESLICE":
        most = n.y if n.y is not None else n.x
        if most.op == "LITERAL":
            return of_type(Type("array", elem=T.under(n.type).elem, len=int(most.value)))
    if op == "CLOSURE":
        words = [False]
        for v in n.func.closure_vars:
            words += of_type(v.type)[1] if v.canonical.byval else [True]
        return (8 * len(words), words) if len(words) > 1 else (0, [])
    if op == "METHVALUE":
        size, words = of_type(n.x.type)
        return 8 + (size or 0), [False, *words]
    if op == "CONVIFACE":
        return (0, []) if n.x.op == "LITERAL" else of_type(n.x.type)
    if op in ("MAKEMAP", "MAPLIT"):
        return HMAP, [False, False, True, True, False, True]
    return None, []


def _count(n: Node) -> int:
    at = most = 0
    for e in n.list:
        at = (e.x.value if e.op == "KEY" else at) + 1
        most = max(most, at)
    return most


def of_type(t: Type) -> tuple[int, list[bool]]:
    size = T.size(t)
    words = [False] * -(-size // 8)
    _mark(t, 0, words)
    return size, words


def _mark(t: Type, at: int, words: list[bool]) -> None:
    u = T.under(t)
    if u.kind == "struct":
        for i, f in enumerate(u.fields):
            _mark(f.type, at + T.offset(t, i), words)
    elif u.kind == "array":
        for i in range(u.len if T.has_pointers(u.elem) else 0):
            _mark(u.elem, at + i * T.size(u.elem), words)
    elif u.kind == "iface":
        words[at // 8] = words[at // 8 + 1] = True
    elif T.has_pointers(u):
        words[at // 8] = True


@kernel
def on_heap(m, t, size, typ, addresses):
    """Allocates len(addresses) objects and writes every word of each; the cycles."""
    core = m.core[m.thread[t].core]
    start = core.cycles
    for i in range(len(addresses)):
        x = mallocgc(m, t, size, typ)
        addresses[i] = x
        if x == 0:
            break
        for w in range((size + 7) // 8):
            store64(m, t, (x & ~7) + 8 * w, i)
    drain_all(m, core.id)
    return core.cycles - start


@kernel
def on_stack(m, t, frame, size, count):
    """Writes every word of the same object `count` times; the cycles."""
    core = m.core[m.thread[t].core]
    start = core.cycles
    for i in range(count):
        for w in range((size + 7) // 8):
            store64(m, t, frame + 8 * w, i)
    drain_all(m, core.id)
    return core.cycles - start


def measure(found: list[Allocation], runs: int, rt: Any = None) -> list[list[Any]]:
    """A row an allocation, as COLUMNS names them; cycles are those of one run. `rt`: the Runtime, None: one of its own."""
    rt = rt or Runtime(gomaxprocs=1)
    rows: list[list[Any]] = []
    for a in found:
        head = [a.text, a.at, a.size if a.size is not None else "?"]
        if not a.size:
            rows.append([*head, "-", "-", "nowhere" if a.size == 0 else "heap" if a.escapes else "stack", *["-"] * 4])
            continue
        count = max(1, min(runs, MOST_BYTES // a.size))
        addresses = np.zeros(count, np.int64)
        cycles = rt._run(0, on_heap, a.size, _descriptor(rt, a), addresses)
        frame = rt.process.mmap(0, -(-a.size // 4096) * 4096)
        rt._run(0, on_stack, frame, a.size, 1)  # the stack is there before the function is called
        flat = rt._run(0, on_stack, frame, a.size, count)
        holds = next((c for c in class_to_size if c >= a.size), -(-a.size // 8192) * 8192)
        pointers = f"{sum(a.pointers)} of {len(a.pointers)} words" if any(a.pointers) else "none"
        goes = "heap" if a.escapes else "stack"
        spread = [_lines(addresses, a.size), _lines(np.array([frame]), a.size)]
        rows.append([*head, holds, pointers, goes, round(cycles / count, 1), round(flat / count, 1), *spread])
    return rows


def _descriptor(rt: Any, a: Allocation) -> int:
    if not any(a.pointers):
        return 0
    if all(a.pointers):
        return rt.type_address(array(pointer, len(a.pointers)))
    fields = {f"w{i}": pointer if p else uint64 for i, p in enumerate(a.pointers)}
    return rt.type_address(struct(f"{a.text} at {a.at}", **fields))


def _lines(addresses: Any, size: int) -> int:
    first, last = addresses >> 6, addresses + size - 1 >> 6
    return len({line for f, l in zip(first.tolist(), last.tolist()) for line in range(f, l + 1)})
