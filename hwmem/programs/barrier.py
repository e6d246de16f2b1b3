"""A barrier in emulated memory: threads of a program meet, the last one wakes the others.

    va + 0   arrived: how many have come, over all meetings        va + 64   meeting: how many have ended

Two words on lines of their own, 128 bytes of a mapping. A thread that waits blocks (futex), as a barrier of the C
library does, and tries again when it is woken.
"""

from hwmem.kernels import fetch_add64, futex_wait, futex_wake, kernel, load_acquire64

BYTES = 128


@kernel
def arrive(m, t, va, threads, meeting):
    """Arrive at meeting number `meeting` (from 0) of `threads` threads; True for the last to arrive."""
    if fetch_add64(m, t, va, 1) + 1 < threads * (meeting + 1):
        return False
    fetch_add64(m, t, va + 64, 1)
    futex_wake(m, t, va + 64, threads)
    return True


@kernel
def passed(m, t, va, meeting):
    """Whether all threads have arrived; the thread blocks if not. Ends the step: call it again in the next."""
    if load_acquire64(m, t, va + 64) > meeting:
        return True
    futex_wait(m, t, va + 64, meeting)
    return False
