"""Which allocations the heap's profile takes: one in MemProfileRate bytes on average, at exponential distances.

    rate 0   none (the default here; Go's is 512 KiB)     rate 1   every object     else   when a P has allocated nextSample bytes

A sample goes to its bucket (mprof.py), and the next one is drawn from the M's random numbers. Behind DOOR_PROFILE (heap/malloc_sample.py), as
the P whose next sample it is; compiled when a program first has a rate. Go: malloc.go profilealloc, nextSample, fastexprand;
fastlog2.go.
"""

import math

from hwmem._jit import DOORS, kernel
from goalloc import constants as C, params as P
from goalloc.base.fastrand import fastrandn
from goalloc.layout import mcache, mspan, p_, variables as V
from goalloc.prof.mprof import free_profiled, mProf_Flush, mProf_Malloc, mProf_NextCycle, mProf_PostSweep, publish_profile
from goalloc.base.malloc_persistent import current_p
from goalloc.heap.malloc_sample import FLUSH, FREE, MEM_PROFILE, NEXT_CYCLE, POST_SWEEP, SAMPLE
from goalloc.words import get64, put64

RANDOM_BITS = 26
MINUS_LOG2 = -math.log(2)
MOST_MEAN = 0x700_0000
LOGARITHMS = tuple(math.log2(1 + i / (1 << C.fastlogNumBits)) for i in range((1 << C.fastlogNumBits) + 1))
SCALE = 1 << 20  # steps between two of them


@DOORS.door(P.DOOR_PROFILE)
def profile_door(m, t, operation, a, b):
    if operation == SAMPLE:
        profilealloc(m, t, a, get64(m, t, b + mspan.elemsize))
    elif operation == FREE:
        free_profiled(m, t, a, b)
    elif operation == NEXT_CYCLE:
        mProf_NextCycle(m, t)
    elif operation == FLUSH:
        mProf_Flush(m, t)
    elif operation == POST_SWEEP:
        mProf_PostSweep(m, t)
    elif operation == MEM_PROFILE:
        publish_profile(m, t)
    else:
        put64(m, t, V.MemProfileRate, a)
        put64(m, t, current_mcache(m, t) + mcache.nextSample, nextSample(m, t))
    return 0


@kernel
def current_mcache(m, t):
    return get64(m, t, current_p(m, t) + p_.mcache)


@kernel
def profilealloc(m, t, x, size):
    c, rate = current_mcache(m, t), get64(m, t, V.MemProfileRate)
    left = get64(m, t, c + mcache.nextSample)
    if rate != 1 and size < left:
        put64(m, t, c + mcache.nextSample, left - size)
        return
    put64(m, t, c + mcache.nextSample, nextSample(m, t))
    mProf_Malloc(m, t, x, size)


@kernel
def nextSample(m, t):
    rate = get64(m, t, V.MemProfileRate)
    return 0 if rate == 1 else fastexprand(m, t, rate)


@kernel
def fastexprand(m, t, mean):
    """An exponential random number: -log2(q) ln(2) mean, q from 1 to 2^26 of 2^26."""
    if mean == 0:
        return 0
    q = fastrandn(m, t, 1 << RANDOM_BITS) + 1
    return int(min(fastlog2(q) - RANDOM_BITS, 0.0) * (MINUS_LOG2 * min(mean, MOST_MEAN))) + 1


@kernel
def fastlog2(n):
    """log2 of a number from 1 to 2^26, between the nearest of 33. Go: fastlog2.go."""
    exponent = 0
    while n >> exponent + 1:
        exponent += 1
    fraction = (n << 52 - exponent) - (1 << 52)  # as a float64 has it
    i, rest = fraction >> 47, fraction >> 27 & SCALE - 1
    low = LOGARITHMS[i]
    return exponent + low + (LOGARITHMS[i + 1] - low) * (rest / SCALE)
