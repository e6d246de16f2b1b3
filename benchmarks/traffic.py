"""The five streams as arrays, and the caches they are run on: three levels with 64-byte lines, those of the preset generic.

S1   8-byte loads over 8 MiB, one after another, twice       half of it hits the L1, the next lines come from afar
S2   loads, uniformly random over 64 MiB                     nearly all miss three levels and, with an MMU, the TLBs
S3   skewed over 64 MiB, 30 % stores                         a line's rank is log-uniform: a few hot, most cold
S4   loads with a stride of 65 lines over 64 MiB             all miss, every set in turn
S5   8-byte loads over 16 KiB, again and again               all hit the L1
"""

from typing import NamedTuple

import numpy as np

LINE = 64
SPAN = 64 << 20
LINES = SPAN // LINE
SHAPES = ((64, 8), (1024, 8), (16384, 16))  # (sets, ways) of L1, L2, L3
SCATTER = 40503  # odd: spreads ranks over all lines
SKEW_DOUBLINGS = 20  # ranks 1 to 2**20
STRIDE = 65 * LINE
RANDOM_ACCESSES = 4_000_000
LOOPS = 4_000
SEED = 1


class Stream(NamedTuple):
    """`addresses`: int64, from 0; `is_store`: bool; `arithmetic`: (first, stride, span) if that is all there is to them."""

    title: str
    addresses: np.ndarray
    is_store: np.ndarray
    arithmetic: tuple | None = None

    def head(self, n):
        return self._replace(addresses=self.addresses[:n], is_store=self.is_store[:n])


def loads(title, addresses, arithmetic=None):
    addresses = addresses.astype(np.int64)
    return Stream(title, addresses, np.zeros(len(addresses), bool), arithmetic)


def sequential():
    return loads("sequential, 8 MiB twice", np.tile(np.arange(0, 8 << 20, 8), 2), (0, 8, 8 << 20))


def random():
    return loads("random, 64 MiB", np.random.default_rng(SEED).integers(0, LINES, RANDOM_ACCESSES) * LINE)


def skewed():
    rng = np.random.default_rng(SEED)
    rank = np.minimum((2 ** (rng.random(RANDOM_ACCESSES) * SKEW_DOUBLINGS)).astype(np.int64), LINES - 1)
    return Stream("skewed, 30 % stores", rank * SCATTER % LINES * LINE, rng.random(RANDOM_ACCESSES) < 0.3)


def strided():
    return loads("stride 4160, 64 MiB", np.arange(RANDOM_ACCESSES) * STRIDE % SPAN, (0, STRIDE, SPAN))


def loop():
    return loads("loop over 16 KiB", np.tile(np.arange(0, 16 << 10, 8), LOOPS), (0, 8, 16 << 10))


STREAMS = {"S1": sequential, "S2": random, "S3": skewed, "S4": strided, "S5": loop}
