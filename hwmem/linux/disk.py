"""The disk: where swap slots and files lie. Pages move between it and frames by DMA, past the caches.

    page 0 ... slots - 1      swap slots
    page slots ...            files, each a run of pages

Requests queue for the device's bandwidth; a request takes `latency` beside it, and the latencies of queued requests overlap. A core that
needs a page waits for it: its clock moves to the end of the transfer. Writes and read-ahead are queued, and no core waits for them unless
it finds the queue long (`throttle`). Bytes are a host mapping at `m.disk.host`, committed as it is touched.
"""

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.memory.periods import beginning, serve
from hwmem.memory.ram import copy_bytes, disk_page, ram_page

LONG_QUEUE = 256  # pages that may wait for their transfer: 1 MiB


@kernel
def queue(m, now):
    """A page's transfer joins the queue at cycle `now`; the cycle at which it is complete."""
    d = m.disk
    d.last = serve(d.transfers, now, d.page_cycles) + d.page_cycles + d.latency
    return d.last


@kernel
def backlog(m, c):
    """Cycles until the queue is empty, seen from core `c`."""
    now = m.core[c].cycles
    return beginning(m.disk.transfers, now) - now


@cold
def read_page(m, c, page, frame):
    """Core `c` waits until `page` of the disk is in `frame`."""
    wait_until(m, c, start_read(m, c, page, frame))


@cold
def start_read(m, c, page, frame):
    """`page` of the disk is on its way into `frame`; the cycle at which it is there."""
    m.disk.reads += 1
    m.vmstat.pgpgin += P.PAGE // 1024
    copy_bytes(disk_page(m, page), ram_page(m, frame), P.PAGE)
    return queue(m, m.core[c].cycles)


@cold
def write_page(m, c, frame, page):
    """`frame` is on its way to `page` of the disk; the cycle at which it is there."""
    m.disk.writes += 1
    m.vmstat.pgpgout += P.PAGE // 1024
    copy_bytes(ram_page(m, frame), disk_page(m, page), P.PAGE)
    return queue(m, m.core[c].cycles)


@kernel
def is_congested(m, c):
    """Whether the queue is long, seen from core `c`."""
    return backlog(m, c) > LONG_QUEUE * m.disk.page_cycles


@kernel
def throttle(m, c):
    """Core `c` waits until the queue is no longer long."""
    wait_until(m, c, m.core[c].cycles + backlog(m, c) - LONG_QUEUE * m.disk.page_cycles)


@kernel
def wait_until(m, c, when):
    """Core `c` has nothing to do until cycle `when`."""
    core = m.core[c]
    if when > core.cycles:
        m.disk.wait_cycles += when - core.cycles
        core.idle_cycles += when - core.cycles
        core.cycles = when


@kernel
def copy_frame(m, source, target):
    """A frame's bytes, to another, without an access of the machine's."""
    copy_bytes(ram_page(m, source), ram_page(m, target), P.PAGE)
