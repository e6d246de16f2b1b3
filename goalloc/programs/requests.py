"""The requests of the programs that compare allocators: a stream for each thread (play.py).

    larson              a server: random objects of an array are replaced; after a while another thread goes on with the array
    threadtest          each thread allocates a batch of objects and frees it, again and again
    cache-scratch       the first thread allocates an object for each; each frees the one it was given, allocates again and writes
    cache-thrash        each thread allocates an object, writes and frees it, again and again
    producer-consumer   half of the threads allocate, the others free what they get (xmalloc)
    sawtooth            sizes that grow over time: much is allocated, most of it freed, a little kept; then pauses, with a few calls between
    trace               the calls of a recorded program (`hwmem record --heap`, trace.py)

Each function takes the threads, a numpy generator and a factor for how much is done, and returns a list of arrays, a thread each. The
slots of two threads lie on lines of their own.
Sources: Larson, Krishnan, 1998 (larson); Berger, McKinley, Blumofe, Wilson, 2000 (threadtest, cache-scratch, cache-thrash); Lever,
Boreham, 2000 (xmalloc).
"""

import numpy as np

from goalloc.programs.play import FREE, MALLOC, MARK, MEET, SLEEP, TRIM, WRITE, request
from goalloc.programs.trace import trace

OBJECTS, GENERATIONS = 120, 4  # larson: of an array; threads that go on with it
BATCH = 250  # threadtest
ROUNDS, BYTES_WRITTEN = 10, 200  # cache-scratch, cache-thrash
RING, PASSED = 64, 1_200  # producer-consumer
KEPT, TEETH, TOOTH = 0.05, 5, 1_000  # sawtooth
PAUSE = 6_000_000_000  # cycles
PAUSES, TRICKLE, TRICKLED = 12, 300, 40_000  # sawtooth's end: pauses of two seconds, calls between two, for blocks of so many bytes
TOP, DROPPED, RESTED, TRIMMED = range(4)  # marks


def flat(*parts):
    return np.concatenate([np.atleast_1d(p).astype(np.int64).ravel() for p in parts])


def larson(threads, random, factor):
    replaced, streams = 150 * factor, []
    for rank in range(threads):
        parts = [request(MALLOC, rank * OBJECTS + np.arange(OBJECTS), random.integers(10, 501, OBJECTS))]
        for generation in range(GENERATIONS):
            slots = (rank + generation) % threads * OBJECTS + random.integers(0, OBJECTS, replaced)
            sizes = random.integers(10, 501, replaced)
            parts += [request(MEET), np.stack([request(FREE, slots), request(MALLOC, slots, sizes)], 1)]
        streams.append(flat(*parts))
    return streams


def threadtest(threads, random, factor):
    each = np.arange(BATCH)
    one = [flat(request(MALLOC, rank * 256 + each, 8), request(FREE, rank * 256 + each)) for rank in range(threads)]
    return [np.tile(stream, 4 * factor) for stream in one]


def cache_scratch(threads, random, factor):
    streams = []
    for rank in range(threads):
        given = request(MALLOC, 8 * np.arange(threads), 8) if rank == 0 else []
        again = [request(WRITE, 8 * rank, BYTES_WRITTEN), request(FREE, 8 * rank), request(MALLOC, 8 * rank, 8)]
        streams.append(flat(given, request(MEET), again[1:], np.tile(flat(*again), ROUNDS * factor)))
    return streams


def cache_thrash(threads, random, factor):
    one = [[request(MALLOC, 8 * rank, 8), request(WRITE, 8 * rank, BYTES_WRITTEN), request(FREE, 8 * rank)] for rank in range(threads)]
    return [np.tile(flat(*requests), ROUNDS * factor) for requests in one]


def producer_consumer(threads, random, factor):
    """A pair of threads has a ring of slots; a thread alone does both."""
    streams, n = [], PASSED * factor
    for pair in range((threads + 1) // 2):
        slots = pair * RING + np.arange(n) % RING
        produced, consumed = request(MALLOC, slots, random.integers(16, 257, n)), request(FREE, slots)
        streams += [produced, consumed] if len(streams) + 2 <= threads else [np.stack([produced, consumed], 1).ravel()]
    return streams


def sawtooth(threads, random, factor):
    """Teeth: objects of sizes around a median that grows from tooth to tooth; all but a few go, in random order. Then all of them."""
    n, streams = TOOTH * factor // threads, []
    for rank in range(threads):
        first, parts, kept = rank * (n * TEETH + 8), [request(MEET)], []
        for tooth in range(TEETH):
            slots = first + tooth * n + np.arange(n)
            sizes = np.clip(random.lognormal(np.log(128 << tooth), 1, n), 8, 1 << 17).astype(np.int64)
            order = random.permutation(slots)
            last = int(n * KEPT)
            parts += [request(MALLOC, slots, sizes), request(MEET), request(MARK, 0, TOP) if tooth == TEETH - 1 and rank == 0 else []]
            parts += [request(FREE, order[last:])]
            kept.append(order[:last])
        trickle = np.tile(flat(request(MALLOC, first + n * TEETH, TRICKLED), request(FREE, first + n * TEETH)), TRICKLE // 2)
        parts += [request(MEET), request(MARK, 0, DROPPED) if rank == 0 else []]
        parts += [flat(request(SLEEP, 0, PAUSE), trickle)] * PAUSES if rank == 0 else []
        parts += [request(MARK, 0, RESTED), request(TRIM), request(MARK, 0, TRIMMED)] if rank == 0 else []
        streams.append(flat(*parts, request(MEET), *[request(FREE, slots) for slots in kept]))
    return streams


PROGRAMS = {
    "larson": larson,
    "threadtest": threadtest,
    "cache-scratch": cache_scratch,
    "cache-thrash": cache_thrash,
    "producer-consumer": producer_consumer,
    "sawtooth": sawtooth,
    "trace": lambda threads, random, factor: trace(threads),
}
