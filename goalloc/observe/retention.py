"""Why an object lives, and what would go with it: the shortest path from a root, dominators, retained bytes.

    why_live(rt, a)     Path: a root, then one Step a pointer, the last one at the object             None: nothing leads to it
    retained(rt)        what would be freed if this one root or object were not there                  dominators.py

Fields of the runtime's own structures have names, from their declarations, as far as they are reached by fields of declared types; so do
those of the program's objects with `memprofilerate=1`, since the heap's profile then notes each object's type and call site. Elsewhere a
step shows the offset.
"""

import re
from collections import deque
from typing import NamedTuple

from hwmem.machine.arguments import to_int64
from goalloc.layout.rules import TYPES, layout_of, length
from goalloc.observe.dominators import retained as retained_of
from goalloc.observe.snapshot import Snapshot

ARRAY = re.compile(r"\[(\w+)\](.+)")


class Step(NamedTuple):
    """An object on a path: `inside`: how far behind its beginning the pointer to it points; `field`: the field or element that holds the next
    pointer, "" of the last object."""

    address: int
    size: int
    type: str
    site: str
    inside: int
    field: str

    def __str__(self):
        text = f"{self.address:#x}{f'+{self.inside}' if self.inside else ''} {self.type or 'object'}, {self.size:,} bytes"
        return text + (f", allocated at {self.site}" if self.site else "") + (f"; its {self.field}" if self.field else "")


class Path(NamedTuple):
    """`root`: "global", "stack", "special" or "runtime"; its `name`; the objects from there on."""

    root: str
    name: str
    steps: tuple

    def __str__(self):
        return "\n".join([f"{self.root} {self.name}", *(f"-> {step}" for step in self.steps)])


def why_live(rt, address):
    """The shortest Path from a root to the object that an address points into: a program's root where there is one as near as one of the
    runtime's. None if no root leads there. ValueError for an address in no object."""
    heap, address = Snapshot(rt), to_int64("address", address)
    goal = heap.object(address)
    if goal < 0:
        raise ValueError(f"address: {address:#x} points into no object")
    came, todo = {}, deque()
    for root in heap.roots:
        x = heap.object(root.word)
        if x >= 0 and root.kind != "special" and x not in came:
            came[x] = root, None, root.word
            todo.append(x)
        elif x >= 0 and root.kind == "special":  # what it points to lives
            for y, offset in heap.pointers(x):
                if y not in came:
                    came[y] = root, (x, offset), pointer_in(heap, x, offset)
                    todo.append(y)
    while todo and goal not in came:
        x = todo.popleft()
        for y, offset in heap.pointers(x):
            if y not in came:
                came[y] = None, (x, offset), pointer_in(heap, x, offset)
                todo.append(y)
    return path_to(heap, came, goal) if goal in came else None


def pointer_in(heap, x, offset):
    return heap.look.word(heap.address(x) + offset)


def path_to(heap, came, goal):
    """The Path that a search, `came`, has found."""
    way, x, root = [], goal, None
    while root is None:
        root, before, word = came[x]
        way.append((x, word))
        if before:
            way.append(before)
            x = before[0]
    way.reverse()  # an object and the word that points to it, then, if it is not the last, the object and the offset of its pointer
    steps, of = [], root.of
    if root.kind == "special":
        way.insert(0, (way[0][0], root.word))
    for (x, word), (_, offset) in zip(way[::2], [*way[1::2], (0, None)]):
        step, of = step_at(heap, x, word, offset, of)
        steps.append(step)
    return Path(root.kind, root.name, tuple(steps))


def step_at(heap, x, word, offset, of):
    """The Step at an object, and what the pointer at `offset`, None of the last object, points to, as Go writes its type; None: unknown. `of`: what
    the word that points to it points to."""
    address, profiled = heap.address(x), heap.site(x)
    inside = word - address
    typ = heap.rt.types.get(profiled[0]) if profiled else None
    declared, start = pointee(of), inside
    if typ and not typ.offsets and typ.name in TYPES and TYPES[typ.name].size == typ.size:
        declared, start = typ.name, 0
    if typ and (typ.offsets or not declared):
        name = typ.name if heap.size(x) < 2 * typ.size else f"[]{typ.name}"
    else:
        name = declared or ("noscan" if profiled else "")
    field, following = "", None
    if offset is not None:
        if declared and offset >= start:
            field, following = declared_field(declared, offset - start)
        elif typ:
            field = program_field(typ, offset)
        field = field.lstrip(".") or f"word at {offset}"
    return Step(address, heap.size(x), name, heap.rt.site_name(profiled[1]) if profiled else "", inside, field), following


def pointee(of):
    """What a pointer of the type `of` points to: a declared type, "[]T" for a row of T; None if that is not known."""
    if of and of.startswith("[]"):
        return of if known(of[2:]) else None
    return of[1:] if of and of.startswith("*") and of[1:] in TYPES else None


def known(of):
    return of.startswith("*") or of in TYPES


def declared_field(of, at):
    """(the field at an offset of a declared type, its type)."""
    if of.startswith("[]"):
        size = layout_of(of[2:]).size
        name, kind = declared_field(of[2:], at % size)
        return f"[{at // size}]{name}", kind
    array = ARRAY.fullmatch(of)
    if array:
        size = layout_of(array[2]).size
        if at // size >= length(array[1]):
            return "", None
        name, kind = declared_field(array[2], at % size)
        return f"[{at // size}]{name}", kind
    if of in TYPES:
        for field, offset, size, kind in TYPES[of].fields:
            if offset <= at < offset + size:
                if kind.startswith(("*", "[]", "func", "map[", "interface")):
                    return f".{field}", kind
                name, inner = declared_field(kind, at - offset)
                return f".{field}{name}", inner
    return "", of if at == 0 else None


def program_field(typ, at):
    """The field at an offset of an object of a program's type, or of a row of them."""
    index, at = divmod(at, typ.size) if typ.size else (0, at)
    names = [name for name, offset in typ.offsets.items() if offset <= at]
    text = f".{names[-1]}" if names else ""
    if names and at > typ.offsets[names[-1]]:
        text += f"+{at - typ.offsets[names[-1]]}"
    return text if index == 0 and text else f"[{index}]{text}"


def retained(rt, most=None):
    """Dicts of what retains most, at most `most` of them: "kind" (a root's, or "object"), "name" (a root's, or the object's type), "address" (0 of
    a root), "site", "size", "retained" (bytes that would be freed without it alone, its own with them) and "objects" (how many those are)."""
    heap = Snapshot(rt)
    names, successors = graph(heap)
    order, _, nbytes, nodes = retained_of(successors, [0] * (1 + len(names)) + heap.sizes().tolist())
    rows = []
    for v, n, count in zip(order[1:], nbytes[1:], nodes[1:]):
        x = v - 1 - len(names)
        if x < 0:
            kind, name = names[v - 1]
            rows.append({"kind": kind, "name": name, "address": 0, "site": "", "size": 0, "retained": n, "objects": count - 1})
        else:
            rows.append({"kind": "object", "x": x, "address": 0, "size": heap.size(x), "retained": n, "objects": count})
    rows = sorted((row for row in rows if row["objects"]), key=lambda row: -row["retained"])[:most]
    for row in rows:
        if row["kind"] == "object":
            step, _ = step_at(heap, row["x"], heap.address(row.pop("x")), None, None)
            row |= {"name": step.type, "address": step.address, "site": step.site}
    return rows


def graph(heap):
    """(kind and name of each root, successors): nodes are 0, from which everything is reached, then the roots, a goroutine's stack as one, then
    the objects."""
    groups, edges = {}, []
    for root in heap.roots:
        x = heap.object(root.word)
        if x < 0:
            continue
        number = groups.setdefault((root.kind, root.name.partition(", ")[0]), len(groups) + 1)
        edges.append((number, [y for y, _ in heap.pointers(x)] if root.kind == "special" else [x]))
    shift = 1 + len(groups)
    successors = [list(range(1, shift)), *([] for _ in groups)]
    successors += [[] for _ in range(heap.n)]
    for number, targets in edges:
        successors[number] += [shift + y for y in targets]
    for a, b in zip(heap.source.tolist(), heap.target.tolist()):
        successors[shift + a].append(shift + b)
    return list(groups), successors
