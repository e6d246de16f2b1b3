"""Random numbers of the runtime: wyrand, whose state is a word of each M.

Who draws: newproc1 (trackingSeq), the order in which other Ps are robbed, select's poll order, semaphores' treaps, maps. An M's
first state comes from Runtime's seed, so that a run repeats; the real program's is random. Masks are uint64 whose products stay
below 2^64, so that plain Python computes them without overflow. Go: stubs.go fastrand, fastrandn, fastrand64.
"""

import numpy as np

from hwmem._jit import cold, kernel
from goalloc import params as P
from goalloc.layout import g_, m_
from goalloc.words import get64, get_mask, put_mask

WYRAND_STEP, WYRAND_XOR = np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB)
LOW, HALF = np.uint64(0xFFFF_FFFF), np.uint64(32)


@kernel
def add_wrapping(a, b):
    low = (a & LOW) + (b & LOW)
    high = (a >> HALF) + (b >> HALF) + (low >> HALF)
    return high << HALF | low & LOW


@kernel
def mul64(a, b):
    """(upper, lower) half of the product of two words. Go: math.Mul64."""
    low = (a & LOW) * (b & LOW)
    middle = (a >> HALF) * (b & LOW) + (low >> HALF)
    other = (a & LOW) * (b >> HALF) + (middle & LOW)
    return (a >> HALF) * (b >> HALF) + (middle >> HALF) + (other >> HALF), other << HALF | low & LOW


@cold
def fastrand64(m, t):
    """A random word, as uint64."""
    state = get64(m, t, m.thread[t].guest[P.G] + g_.m) + m_.fastrand
    x = add_wrapping(get_mask(m, t, state), WYRAND_STEP)
    put_mask(m, t, state, x)
    high, low = mul64(x, x ^ WYRAND_XOR)
    return high ^ low


@kernel
def fastrand(m, t):
    """A random number below 2^32."""
    return np.int64(fastrand64(m, t) & LOW)


@kernel
def fastrandn(m, t, n):
    """A random number below `n`, which is below 2^31."""
    return fastrand(m, t) * n >> 32
