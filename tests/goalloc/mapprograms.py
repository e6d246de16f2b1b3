"""Random programs on a map, and how they are run on ours: the same as live/maps/main.go runs on the real Go."""

from goalloc.layout import m_, variables as V

ASSIGN, REMOVE, RANGE, CLEAR, LOOK = range(5)
FIELDS = ("count", 8), ("flags", 1), ("B", 1), ("noverflow", 2), ("hash0", 4), ("nevacuate", 8)
WORD = 1 << 64


def random_program(rng):
    """{"Random", "Secret", "Steps"}: of a small map or a larger one, with ranges that change it."""
    keys, steps = rng.choice((20, 100, 700)), []
    for _ in range(rng.randrange(1, 12)):
        kind = rng.random()
        if kind < 0.4:
            inner = [random_change(rng, keys) for _ in range(rng.choice((0, 0, 3, 30, 200)))]
            steps += [[RANGE, len(inner)], *inner]
        elif kind < 0.43:
            steps.append([CLEAR])
        else:
            steps.append(random_change(rng, keys))
        steps.append([LOOK])
    return {"Random": rng.randrange(WORD), "Secret": rng.randrange(WORD), "Steps": steps}


def random_change(rng, keys):
    kind = ASSIGN if rng.random() < 0.65 else REMOVE
    return [kind, rng.randrange(-keys, keys), rng.choice((1, 1, 1, 5, 30, keys // 2))]


class Run:
    """One program on a runtime of one P."""

    def __init__(self, rt, program):
        self.rt, self.random, self.steps, self.seen, self.value = rt, program["Random"], program["Steps"], [], 0
        rt.process.store(V.hashkey, program["Secret"])
        self.random_state(-1)
        self.map = rt.make_map()

    def random_state(self, step):
        self.rt.process.store(V.m0 + m_.fastrand, (self.random + step) % WORD)

    def do(self, i):
        step = self.steps[i]
        self.random_state(i)
        if step[0] == ASSIGN:
            self.map.assign(range(step[1], step[1] + step[2]), range(self.value, self.value + step[2]))
            self.value += step[2]
        elif step[0] == REMOVE:
            for key in range(step[1], step[1] + step[2]):
                self.map.discard(key)
        elif step[0] == CLEAR:
            self.map.clear()
        elif step[0] == LOOK:
            self.seen += [self.map.field(name, size) for name, size in FIELDS] + [int(self.map.field("oldbuckets") != 0)]

    def go_through(self):
        """What the steps saw."""
        i = 0
        while i < len(self.steps):
            if self.steps[i][0] != RANGE:
                self.do(i)
            else:
                self.random_state(i)
                end = i + self.steps[i][1]
                for key, value in self.map.items():
                    self.seen += [key, value]
                    if i < end:
                        i += 1
                        self.do(i)
                i = end
            i += 1
        return self.seen
