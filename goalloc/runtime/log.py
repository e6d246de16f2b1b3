"""The log of a Go program's collector (gc/trace.py): host memory whose address the process knows."""

import numpy as np

from hwmem.memory.ranges import permit
from goalloc import params as P
from goalloc.gc.trace import COLUMNS, PS, ROWS, TURN_ROWS, TURN_WORDS, TURNS_OF, ROWS_OF_BOTH


def start_log(process):
    """An empty log for the process; keep the array as long as the process runs."""
    log = np.zeros((ROWS_OF_BOTH, COLUMNS), np.int64)
    guest = process.machine.state.process[process.number].guest
    permit(log, log.ctypes.data, log.nbytes)
    guest[P.LOG], guest[P.LOG_ROWS], guest[P.TURNS] = log.ctypes.data, 0, 0
    return log


def rows(process, log):
    """The rows there are, the oldest first."""
    n = int(process.machine.state.process[process.number].guest[P.LOG_ROWS])
    return log[:n] if n <= ROWS else np.roll(log[:ROWS], -(n % ROWS), axis=0)


def turns(process, log, most):
    """What the collector did on the Ps: {"rows": [[P, kind, from, to], ...], "lost": n}, times in nanoseconds of the machine's clocks, in the order in
    which turns began on their P; `most`: rows that are kept, of the first ones."""
    n = int(process.machine.state.process[process.number].guest[P.TURNS])
    kept = log[ROWS:].reshape(-1)[PS:].reshape(TURN_ROWS, TURN_WORDS)[: min(n, TURN_ROWS, most)]
    return {"rows": [[p, TURNS_OF[kind], began, ended] for kind, p, began, ended in kept.tolist()], "lost": n - len(kept)}
