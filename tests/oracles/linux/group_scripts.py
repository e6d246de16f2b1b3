"""Random scripts of several processes of one memory group for groups_oracle, which says who lives and what is charged.

A small model of what the group cannot give up (private pages, shared ones, locked ones of the file) keeps away from what no two
kernels need agree on: a line is not written if it would leave that within MARGIN pages of the limit, where a table or a slab
more decides, or if two processes would be as good a victim by less than that.

The recorded answers (groups.jsonl.gz: a seed and answers a line) are Linux 6.18's, cgroup v1, no swap, ext4 without large
folios: what two runs agreed on, null elsewhere.
"""

import random

PAGE, FILE_PAGES, PROCESSES = 4096, 1024, 4
LIMITS, MARGIN = (1024, 2048, 4096), 160
ADJ = (0, 0, 0, 200, 500, 1000)  # below 0 takes more than root's rights in a container
WEIGHTS = {"anon": 10, "shmem": 4, "file": 6, "lock": 3, "fork": 2, "drop": 4, "dontneed": 2, "end": 1, "start": 3}
STAT_EVERY = 4


class Model:
    """Who has which pieces of memory. A piece: [kind, first page of the window, pages, first page of the file]."""

    def __init__(self, limit):
        self.limit, self.adj, self.top, self.pieces = limit, {}, {}, {}

    def kept(self):
        """Pages that reclaim cannot take: of each piece once; of the file's, each page once."""
        once = {id(piece): piece for pieces in self.pieces.values() for piece in pieces}.values()
        locked = {page for piece in once if piece[0] == "lock" for page in range(piece[3], piece[3] + piece[2])}
        return sum(piece[2] for piece in once if piece[0] in ("anon", "shmem")) + len(locked)

    def size(self, p):
        return sum(piece[2] for piece in self.pieces[p] if piece[0] != "file")

    def gone(self, p):
        del self.adj[p], self.top[p], self.pieces[p]

    def make_room(self, p, more):
        """Kill as the kernel would for `more` pages of process `p`; False where it is not clear whom."""
        while p in self.adj and self.kept() + more > self.limit + MARGIN:
            points = {q: self.size(q) + a * self.limit // 1000 for q, a in self.adj.items()}
            if p in points:
                points[p] += self.limit - self.kept()
            ranked = sorted(points, key=points.get)
            if len(ranked) > 1 and points[ranked[-1]] - points[ranked[-2]] < MARGIN:
                return False
            self.gone(ranked[-1])
        return p not in self.adj or self.kept() + more < self.limit - MARGIN


def script(seed, steps):
    """Yield script lines; the same seed gives the same script."""
    rng = random.Random(f"groups-{seed}")
    model = Model(rng.choice(LIMITS))
    yield f"group {model.limit}"
    for number in range(steps):
        line = None
        while line is None:
            op = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            line = start(rng, model) if op == "start" or not model.adj else act(rng, model, op, rng.choice(sorted(model.adj)))
        yield line
        if number % STAT_EVERY == STAT_EVERY - 1:
            yield "stat"


def start(rng, model):
    free = set(range(PROCESSES)) - set(model.adj)
    if not free:
        return None
    p = min(free)
    model.adj[p], model.top[p], model.pieces[p] = rng.choice(ADJ), 0, []
    return f"{p} start {model.adj[p]}"


def act(rng, model, op, p):
    """The line of an operation of process `p`, or None where it cannot be; the model follows."""
    if op == "end":
        model.gone(p)
        return f"{p} end"
    if op == "fork":
        free = set(range(PROCESSES)) - set(model.adj)
        if not free or any(piece[0] != "anon" for piece in model.pieces[p]):
            return None
        q = min(free)
        model.adj[q], model.top[q], model.pieces[q] = model.adj[p], model.top[p], list(model.pieces[p])
        return f"{p} fork {q}"
    if op in ("drop", "dontneed"):
        mine = [piece for piece in model.pieces[p] if op == "drop" or piece[0] == "anon"]
        if not mine:
            return None
        piece = rng.choice(mine)
        model.pieces[p].remove(piece)
        return f"{p} {op} {piece[1]} {piece[2]}"
    return take(rng, model, op, p)


def take(rng, model, op, p):
    n = rng.randrange(16, model.limit // rng.choice((2, 4, 8)))
    first, at = 0, model.top[p]
    if op in ("file", "lock"):
        n = min(n, FILE_PAGES // 2)
        first = rng.randrange(FILE_PAGES - n)
    trial = Model(model.limit)
    trial.adj, trial.top = dict(model.adj), dict(model.top)
    trial.pieces = {q: list(pieces) for q, pieces in model.pieces.items()}
    if op != "file" and not trial.make_room(p, n):
        return None
    model.adj, model.top, model.pieces = trial.adj, trial.top, trial.pieces
    if p in model.adj:
        model.top[p] += n
        model.pieces[p].append([op, at, n, first])
    return f"{p} file {at} {n} {first} {int(op == 'lock')}" if op in ("file", "lock") else f"{p} {op} {at} {n}"
