"""Plain-Python models of single parts, written from their definitions, and readers of a machine's raw state.

The models share no code with hwmem: a set is a Python list, memory a dict. What reads a machine's record decodes the
layout that hwmem/layout draws (tag words, pools) and the page-table entries that the SDM draws (vol. 3A, 4.5).
"""

import ctypes

from hwmem import params as P

LINE = 64
I, S, F, O, E, M = range(6)  # stable states of a private copy, weakest first
PRESENT, GONE, SHARED, OWNED = range(4)  # directory states of an LLC line; OWNED + owner


# Replacement


class LruSet:
    """Least recently used: a list, the most recent first."""

    def __init__(self, ways):
        self.ways, self.keys = ways, []

    def access(self, key):
        """(hit, evicted key or None)."""
        if key in self.keys:
            self.keys.remove(key)
            self.keys.insert(0, key)
            return True, None
        self.keys.insert(0, key)
        return False, self.keys.pop() if len(self.keys) > self.ways else None

    def drop(self, key):
        if key in self.keys:
            self.keys.remove(key)
            return True
        return False

    def __contains__(self, key):
        return key in self.keys


class WaySet:
    """A set whose ways matter: free ways first, lowest number first; then the policy says."""

    def __init__(self, ways):
        self.ways, self.keys = ways, [None] * ways

    def access(self, key):
        hit, evicted = key in self.keys, None
        if not hit:
            way = self.keys.index(None) if None in self.keys else self.victim()
            evicted, self.keys[way] = self.keys[way], key
        self.touch(self.keys.index(key))
        return hit, evicted

    def drop(self, key):
        if key in self.keys:
            self.keys[self.keys.index(key)] = None

    def __contains__(self, key):
        return key in self.keys


class TreePlruSet(WaySet):
    """A binary tree over the ways; each node says which half to evict from: the one that was not touched last."""

    def __init__(self, ways):
        super().__init__(ways)
        self.right_is_older = {}  # (first way, number of ways) of a node -> bool

    def touch(self, way):
        low, n = 0, self.ways
        while n > 1:
            half = n // 2
            in_right = way >= low + half
            self.right_is_older[low, n] = not in_right
            low, n = low + half * in_right, half

    def victim(self):
        low, n = 0, self.ways
        while n > 1:
            half = n // 2
            low, n = low + half * self.right_is_older.get((low, n), False), half
        return low


class NruSet(WaySet):
    """A bit a way, set on use; when the last bit would be set, all others are cleared. The lowest clear bit goes."""

    def __init__(self, ways):
        super().__init__(ways)
        self.used = set()

    def touch(self, way):
        self.used.add(way)
        if len(self.used) == self.ways:
            self.used = {way}

    def victim(self):
        return next((way for way in range(self.ways) if way not in self.used), 0)


POLICIES = {"lru": LruSet, "tree-plru": TreePlruSet, "nru": NruSet}


class SetAssociative:
    """`sets` sets of one policy; the set is the key modulo their number."""

    def __init__(self, sets, ways, policy="lru"):
        self.sets = [POLICIES[policy](ways) for _ in range(sets)]

    def of(self, key):
        return self.sets[key % len(self.sets)]

    def access(self, key):
        return self.of(key).access(key)

    def drop(self, key):
        return self.of(key).drop(key)

    def __contains__(self, key):
        return key in self.of(key)


# Memory


class FlatMemory:
    """Bytes by address, zero until written; words little-endian."""

    def __init__(self):
        self.bytes = {}

    def store(self, address, size, value):
        for k in range(size):
            self.bytes[address + k] = value >> 8 * k & 255

    def load(self, address, size):
        value = sum(self.bytes.get(address + k, 0) << 8 * k for k in range(size))
        return value - (1 << 64) if size == 8 and value >> 63 else value


def signed(value):
    """The low 64 bits as a signed number."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


# A machine's raw state


def ram_bytes(machine, pa, n):
    """RAM's bytes, read from the host."""
    assert 0 <= pa and pa + n <= machine.config.memory, hex(pa)
    return ctypes.string_at(int(machine.state.ram_base) + pa, n)


def ram_word(machine, pa, size=8):
    return int.from_bytes(ram_bytes(machine, pa, size), "little")


def poke_ram(machine, pa, size, value):
    ctypes.memmove(int(machine.state.ram_base) + pa, value.to_bytes(size, "little"), size)


def entries(machine, s):
    """(set, way, key, flags, word) of every occupied entry of a set-associative array."""
    base, row = int(s["first"]), 1 << int(s.row_shift)
    tags = machine.state.tag[base : base + int(s.sets) * row]
    for k in (tags & P.OCCUPIED).nonzero()[0].tolist():
        tag = int(tags[k])
        assert k % row < s.ways, "what is occupied lies in a way"
        yield k // row, k % row, (tag & P.KEY_MASK) >> P.TAG_SHIFT, tag & 31, int(machine.state.word[base + k])


def page_table_leaf(machine, root, va, levels=4):
    """What a walk of the tables in RAM finds: (frame address, entry, [entry addresses]) or (None, 0, [...]).

    SDM vol. 3A, 4.5 (four levels of 9 bits, 8-byte entries) and 4.3 (two levels of 10 bits, 4-byte entries).
    """
    width, bits = (8, 9) if levels == 4 else (4, 10)
    table, places = root, []
    for level in reversed(range(levels)):
        place = table + (va >> 12 + bits * level & (1 << bits) - 1) * width
        places.append(place)
        entry = ram_word(machine, place, width)
        if not entry & 1:
            return None, 0, places
        table = entry & 0x000F_FFFF_FFFF_F000
    return table, entry, places
