"""What serves one at a time, for cores whose clocks differ: a DRAM channel's bus, the disk, a line in transit, a lock.

            since ████████████████ until            uses that follow each other without a gap
     B ▓▓▓▓                                          before them is a gap, in which there is room for one like the last
           C ────────────────────── begins here     without room it comes after them
                       D ───────── begins here      as one does that is asked for while they last

Threads run a step at a time, the one furthest behind first, so what a long step used lies in the future of the other cores. They must not
wait for all of it as if it had come first: only for what they meet.
"""

from hwmem._jit import kernel


@kernel
def beginning(period, asked):
    """The cycle at which a use begins that is asked for at cycle `asked`."""
    if asked >= period.until or asked + period.took <= period.since:
        return asked
    return period.until


@kernel
def used(period, began, now):
    """A use that `began` when `beginning` said ends now."""
    period.took = now - began
    if began >= period.since:
        if began > period.until:
            period.since = began
        period.until = now
    elif now > period.since:  # it took longer than the last
        period.since, period.until = began, max(period.until, now)


@kernel
def serve(period, asked, cycles):
    """The cycle at which a use of `cycles` begins that is asked for at cycle `asked`."""
    began = beginning(period, asked)
    used(period, began, began + cycles)
    return began


@kernel
def forget(period, now):
    """It serves something else from cycle `now` on."""
    period.since = period.until = now
