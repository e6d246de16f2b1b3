"""Semaphores: who waits for an address is woken in its order; a root's treap stays one, with many addresses in it."""

import random
from collections import defaultdict, deque

from one_p import OneP

from goalloc import params as P
from goalloc.sched.chan import DONE, PARKED
from goalloc.observe.inspect import Inspector
from goalloc.layout import semaRoot, sudog, variables as V
from goalloc.sched.proc import PC
from goalloc.sched.sema import ROOT_STRIDE, ROOTS
from goalloc.sched.sync import LOCK_SLOW, UNLOCK

ADDRESSES = 12
WORDS = dict(g=0, next=sudog.next, prev=sudog.prev, elem=sudog.elem, parent=sudog.parent, waitlink=sudog.waitlink, waittail=sudog.waittail)


def waiting(rt, root):
    """{address: places of the goroutines that wait for it, in order} of a root, whose treap is checked."""
    found, look = {}, Inspector(rt.process)

    def walk(s, parent, low, high, ticket):
        if s == 0:
            return
        word = {name: look.word(s + at) for name, at in WORDS.items()}
        own = look.word(s + sudog.ticket, 4)
        assert word["parent"] == parent and low < word["elem"] < high and own & 1 and own >= ticket
        line, last = [], s
        while last:
            line.append(look.word(look.word(last) + PC))
            before, last = last, look.word(last + sudog.waitlink)
        assert word["waittail"] == (before if len(line) > 1 else 0)
        found[word["elem"]] = line
        walk(word["prev"], s, low, word["elem"], own)
        walk(word["next"], s, word["elem"], high, own)

    walk(look.word(root + semaRoot.treap), 0, 0, 1 << 64, 0)
    assert look.word(root + semaRoot.nwait, 4) == sum(map(len, found.values()))
    return found


def test_waiters_of_many_addresses_of_one_root_are_woken_in_their_order(runtime, seed):
    """Mutexes 251 words apart; a goroutine locks one and waits for it, or main unlocks one. A plain model tells who waits."""
    one, rng = OneP(runtime(gomaxprocs=1)), random.Random(seed)
    area = one.rt.process.mmap(0, ADDRESSES * ROOTS * 8 + 4096)
    mutexes = [area + i * ROOTS * 8 for i in range(ADDRESSES)]
    root = V.semtable + ((mutexes[0] + 4) >> 3) % ROOTS * ROOT_STRIDE
    one.rt.machine.state.process[one.rt.process.number].guest[P.MILLISECOND] = 1 << 60  # no starving
    for mu in mutexes:
        one.sync(LOCK_SLOW, mu)
    lines = defaultdict(deque)
    for place in range(1, 300):
        mu = rng.choice(mutexes)
        if rng.random() < 0.6:
            one.go(place)
            assert one.next() == place and one.sync(LOCK_SLOW, mu) == PARKED
            lines[mu].append(place)
        elif lines[mu]:
            one.sync(UNLOCK, mu)
            first = lines[mu].popleft()
            assert one.next() == first and one.sync(LOCK_SLOW, mu) == DONE
            one.end()
        assert waiting(one.rt, root) == {mu + 4: list(line) for mu, line in lines.items() if line}
    assert sum(map(len, lines.values())) > 20
    one.rt.check()
