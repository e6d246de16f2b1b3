"""What each allocator holds, and whether it is consistent, read without an access (goalloc/observe/inspect.py).

A walk goes over every block, in the order of addresses, and over every list, and compares the two. It returns
{"mapped", "blocks", "used", "free", "other"}: bytes from the kernel; blocks given to users, and their usable bytes; usable bytes kept
for later; headers, tables and what is lost between blocks. mapped = used + free + other. Raises MachineError.
"""

from hwmem.libc.api import Malloc
from goalloc import params as P
from goalloc.observe.inspect import Inspector
from goalloc.baselines import buddy as B
from goalloc.baselines import bump as U
from goalloc.baselines import freelist as F
from goalloc.baselines.walking import data_of, holds, totals


def bump(allocator):
    look, data = Inspector(allocator.process), data_of(allocator)
    start, pointer, limit = look.word(data + U.START), look.word(data + U.NEXT), look.word(data + U.END) & U.ADDRESS
    end = pointer & U.ADDRESS
    holds(start <= end <= limit, "bump: the pointer", end, "is beyond the end", limit)
    first, granules = data + U.BITS + (start >> U.GRANULE + 6 << 3), end - start >> U.GRANULE
    bits = int.from_bytes(look.read(first, (granules + 127 >> 6) * 8), "little")
    bits |= (pointer >> U.UPPER) << (end >> U.GROUP << U.GROUP - U.GRANULE) - (start >> U.GRANULE & ~63)
    bits >>= start >> U.GRANULE & 63
    holds(not granules or bits & 1, "bump: no block begins at", start)
    holds(bits >> granules == 0, "bump: a block begins behind", end)
    return totals(limit - start, bits.bit_count(), end - start, limit - end)


def freelist(allocator):
    look, data = Inspector(allocator.process), data_of(allocator)
    policy = int(allocator.process.record.guest[P.POLICY])
    start, end, top = look.word(data + F.START), look.word(data + F.END), look.word(data + F.TOP) & F.ADDRESS
    p, blocks, used, free, taken_before = (start + 15 & ~15) + F.TAG, 0, 0, {}, F.BEFORE
    while p < top:
        word = look.word(p)
        size = word & F.SIZE
        holds(size >= F.LEAST and word & F.BEFORE == taken_before, "free list: the header of", p, "is", word)
        if word & F.TAKEN:
            blocks, used = blocks + 1, used + size - F.TAG
        else:
            holds(look.word(p + size - F.TAG) == size, "free list: the tag of", p)
            holds(taken_before, "free list: two free neighbours at", p)
            free[p] = size
        p, taken_before = p + size, F.BEFORE if word & F.TAKEN else 0
    holds(p == top and taken_before, "free list: the last block ends at", p, "and the top begins at", top)
    listed = set()
    for r in range(1, F.RANGES) if policy == F.SEGREGATED else range(1):
        p, before = look.word(data + F.LISTS + 8 * r), 0
        if policy == F.SEGREGATED:
            holds(look.word(data + F.LISTS) >> r & 1 == bool(p), "free list: the bit of list", r)
        while p:
            holds(p in free and p not in listed, "free list:", p, "is in a list")
            holds(before == 0 or look.word(p + 16) == before, "free list: the link back from", p)
            holds(policy != F.SEGREGATED or range_of(free[p]) == r, "free list:", p, "is in the wrong list")
            listed.add(p)
            p, before = look.word(p + 8), p
    holds(listed == set(free), "free list: a free block is in no list")
    rover = look.word(data + F.ROVER)
    holds(rover == 0 or rover in free, "free list: the search would go on at", rover)
    return totals(end - start, blocks, used, sum(free.values()) + max(end - top & ~15, 0))


def range_of(size):
    order = size.bit_length() - 1
    return min(1 + 4 * (order - 5) + (size >> order - 2 & 3), F.RANGES - 1)


def buddy(allocator):
    """Mappings of their own, of large blocks, are not among what it knows."""
    look, data = Inspector(allocator.process), data_of(allocator)
    regions = look.words(data + B.REGIONS, look.word(data + B.COUNT))
    blocks, used, free = 0, 0, {}
    for region in regions:
        states, p = look.read(region + B.REGION, B.STATES), region
        while p < region + B.REGION:
            state = states[p - region >> B.LEAST_ORDER]
            order = state & B.ORDER
            holds(state - order in (B.IS_FREE, B.TAKEN) and B.LEAST_ORDER <= order <= B.REGION_ORDER, "buddy: the state of", p, "is", state)
            holds((p - region) % (1 << order) == 0, "buddy: a block of order", order, "at", p)
            if state & B.TAKEN:
                blocks, used = blocks + 1, used + (1 << order)
            else:
                free[p] = order
            p += 1 << order
        holds(p == region + B.REGION, "buddy: blocks go over the end of", region)
    for p, order in free.items():
        holds(order == B.REGION_ORDER or free.get(p ^ 1 << order) != order, "buddy: two free buddies at", p)
    listed = set()
    for order in range(B.REGION_ORDER + 1):
        masks = look.word(data + B.MASKS) >> order
        p, before = look.word(data + B.LISTS + 8 * order) if masks & 1 else 0, 0
        holds(masks & 1 or not masks >> B.SEVERAL & 1, "buddy: the bits of order", order)
        while p:
            holds(free.get(p) == order and p not in listed, "buddy:", p, "is in the list of order", order)
            holds(before == 0 or look.word(p + 8) == before, "buddy: the link back from", p)
            listed.add(p)
            p, before = look.word(p) if masks >> B.SEVERAL & 1 else 0, p
            holds(
                before and (p or look.word(data + B.LISTS + 8 * order) != before or not masks >> B.SEVERAL & 1),
                "buddy: one block in",
                order,
            )
    holds(listed == set(free), "buddy: a free block is in no list")
    return totals(len(regions) * (B.REGION + B.STATES), blocks, used, sum(1 << order for order in free.values()))


def glibc(allocator):
    """As the library counts (mallinfo2), which counts what is in thread caches as used; blocks are not counted."""
    info = Malloc(allocator.process).info()
    holds(info["arena"] == info["uordblks"] + info["fordblks"], "glibc: mallinfo's sums")
    return totals(info["arena"] + info["hblkhd"], 0, info["uordblks"] + info["hblkhd"], info["fordblks"])
