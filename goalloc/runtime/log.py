"""The log of a Go program's collector (gc/trace.py): memory of the host, which the process knows the address of."""

import numpy as np

from hwmem.memory.ranges import permit
from goalloc import params as P
from goalloc.gc.trace import COLUMNS, ROWS


def start_log(process):
    """An empty log for the process; keep the array as long as the process runs."""
    log = np.zeros((ROWS, COLUMNS), np.int64)
    guest = process.machine.state.process[process.number].guest
    permit(log, log.ctypes.data, log.nbytes)
    guest[P.LOG], guest[P.LOG_ROWS] = log.ctypes.data, 0
    return log


def rows(process, log):
    """The rows there are, the oldest first."""
    n = int(process.machine.state.process[process.number].guest[P.LOG_ROWS])
    return log[:n] if n <= ROWS else np.roll(log, -(n % ROWS), axis=0)
