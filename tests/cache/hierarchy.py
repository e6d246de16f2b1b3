"""A machine's caches in plain Python, written from the textbook: who has which line, in what order a set's lines go.

An independent model to hold hwmem's counts to. Each core has an L1 and perhaps an L2, all share an LLC or memory. A cache's set
is a list (LruSet of models.py) or numbered ways; an invalidated line leaves its set at once, so that its way is empty, and
every use of a line by its own core, an upgrade too, makes it the most recent. What a core may do with a line is one of
MSI, MESI, MOESI or MESIF's states, kept for the whole core; of each copy only whether it differs from what lies below.
An inclusive LLC knows who holds a line, but not that an S or F copy was dropped: it takes the core to hold it still.
"""

from collections import Counter, defaultdict

from models import POLICIES, E, F, I, M, O, S


class Cache:
    """Lines in sets, and which of them are dirty: they differ from the next level."""

    def __init__(self, sets, ways, policy="lru"):
        self.sets, self.dirty, self.counts = [POLICIES[policy](ways) for _ in range(sets)], set(), Counter()

    def __contains__(self, line):
        return line in self.sets[line % len(self.sets)]

    def lines(self):
        return {line for one in self.sets for line in one.keys if line is not None}

    def use(self, line):
        """The line, which is here or comes in now, is the most recent; (the line that made room, whether it was dirty), or None."""
        _, out = self.sets[line % len(self.sets)].access(line)
        if out is None:
            return None
        dirty = out in self.dirty
        self.dirty.discard(out)
        self.counts["replacements"] += 1
        self.counts["dirty_evictions"] += dirty
        return out, dirty

    def drop(self, line):
        """The line has been taken away."""
        self.sets[line % len(self.sets)].drop(line)
        self.dirty.discard(line)


class Hierarchy:
    """`shapes`: (sets, ways, policy) of "l1d", "l2", "llc", None where there is none; one socket."""

    def __init__(self, cores, shapes, protocol, inclusive):
        self.protocol, self.inclusive = protocol, inclusive and shapes["llc"] is not None
        self.l1 = [Cache(*shapes["l1d"]) for _ in range(cores)]
        self.l2 = [Cache(*shapes["l2"]) if shapes["l2"] else None for _ in range(cores)]
        self.llc = Cache(*shapes["llc"]) if shapes["llc"] else None
        self.right = [{} for _ in range(cores)]  # core -> line -> state, of what it holds
        self.named = defaultdict(set)  # line -> cores that an inclusive LLC takes to hold it
        self.counts = Counter()

    def levels(self, c):
        return [cache for cache in (self.l1[c], self.l2[c]) if cache]

    def access(self, c, line, store):
        l1, right = self.l1[c], self.right[c].get(line, I)
        enough = right >= (E if store else S)
        if line in l1 and enough:
            l1.counts["hits"] += 1
            l1.use(line)
        else:
            l1.counts["misses"] += 1
            self.below(c, line, store, right, enough)
            out = l1.use(line)
            if out:
                self.leave_l1(c, *out)
        if store:
            self.right[c][line] = M
            l1.dirty.add(line)

    def below(self, c, line, store, right, enough):
        """The L1 asks for the line. Where an inclusive LLC keeps the books, the last private level makes room first."""
        l2 = self.l2[c]
        if l2 and line in l2 and enough:
            l2.counts["hits"] += 1
            l2.use(line)
            return
        if l2:
            l2.counts["misses"] += 1
            if right != I:
                self.request(c, line, store)
                if line in l2:
                    l2.use(line)
                return
        last, leave = (l2, self.leave_l2) if l2 else (self.l1[c], self.leave_l1)
        first = self.inclusive and right == I
        if first:
            self.make_room(c, last, leave, line)
        self.request(c, line, store)
        if not first and right == I:
            self.make_room(c, last, leave, line)

    def make_room(self, c, cache, leave, line):
        out = cache.use(line)
        if out:
            leave(c, *out)

    def request(self, c, line, store):
        """Everybody else's copy meets the request; the LLC has the line afterwards."""
        others = [d for d in range(len(self.l1)) if d != c and self.right[d].get(line, I) != I]
        mine, llc = self.right[c].get(line, I), self.llc
        if llc:
            self.counts["llc_hits" if line in llc or mine != I else "llc_misses"] += 1  # an upgrade needs no data
            if line in llc or mine == I:
                self.place(line)
        for d in others:
            if store:
                self.take(d, line)
            elif self.right[d][line] >= F:
                self.share(d, line)
        self.right[c][line] = self.granted(store, self.named[line] if self.inclusive else others)
        self.named[line] = self.named[line] | {c} if self.right[c][line] < E else {c}

    def granted(self, store, held):
        if store:
            return M
        if held:
            return F if self.protocol == "mesif" else S
        return S if self.protocol == "msi" else E

    def place(self, line, fetched=True):
        """The line is used in, or comes into, the LLC; what makes room is recalled where the LLC is inclusive."""
        out = self.llc.use(line)
        if out and self.inclusive:
            del self.named[out[0]]
            for d in range(len(self.l1)):
                self.take(d, out[0])

    def take(self, d, line):
        self.right[d].pop(line, None)
        for cache in self.levels(d):
            cache.drop(line)

    def share(self, d, line):
        """Core d, which answers for the line, has it no longer alone: a modified one goes to the LLC, or stays with d as O."""
        modified = self.right[d][line] in (O, M)
        self.right[d][line] = O if modified and self.protocol == "moesi" else S
        holders = [cache for cache in self.levels(d) if line in cache]
        strongest = next((cache for cache in holders if line in cache.dirty), None)
        for cache in holders:
            if cache is not strongest or self.right[d][line] != O:
                cache.dirty.discard(line)

    def leave_l1(self, c, line, dirty):
        l2 = self.l2[c]
        if l2 and (line in l2 or dirty):
            if dirty:
                l2.counts["write_back_misses"] += line not in l2
                out = l2.use(line)
                l2.dirty.add(line)
                if out:
                    self.leave_l2(c, *out)
            return
        self.left(c, line, dirty)

    def leave_l2(self, c, line, dirty):
        if line not in self.l1[c]:
            self.left(c, line, dirty)
        elif dirty and self.protocol == "msi" and self.right[c][line] == M:
            self.l1[c].dirty.add(line)
        elif dirty:
            self.write_back(line)

    def left(self, c, line, dirty):
        """The core has the line no more."""
        if self.right[c].pop(line) >= O:
            self.named[line].discard(c)
        if dirty:
            self.write_back(line)

    def write_back(self, line):
        if self.llc and not self.inclusive:
            self.llc.counts["write_back_misses"] += line not in self.llc
            self.place(line)
            self.llc.dirty.add(line)
