"""A recording of threads, replayed in plain Python: what numpy's scalars do to kernels that index, shift and multiply."""

import pytest

from hwmem.trace.order import ORDERS
from jit.programs import printed
from recordings import Writer


def two_threads(folder):
    """A recording of two threads that share a word under a lock, counters, a line, and the whole of a page far up."""

    def work(own):
        for k in range(3):
            log.refer("A", 0x80, pc=0x109800)
            log.refer("L", 0x90)
            log.refer("S", 0x90)
            log.refer("S", 0x80)
            log.refer("M", 0xA0)
            log.refer("S", own)
            for _ in range(4):
                log.refer("L", 0xC0, pc=0x109900)
            log.refer("S", 0x7FFE_1234_0000)
            log.refer("L", 0x7FFE_1234_0000, 4)
            log.call(log.running, 9, "sys_mmap ( 0x0, 4096, 3, 34, 4294967295, 0 )", 0x5000000 + k * 4096 + own * 65536)
            log.refer("S", 0x5000000 + k * 4096 + own * 65536, pc=0x7FFF_0000_1000)
            log.call(log.running, 11, f"sys_munmap ( {0x5000000 + k * 4096 + own * 65536:#x}, 4096 )", 0)

    log = Writer()
    log.clone(1, 0x4100000, 77)
    work(8)
    log.lines.append("--9--   SCHED[1]: releasing lock (VG_(scheduler):timeslice) -> VgTs_Yielding")
    log.start(2)
    work(16)
    return log.save(folder)


@pytest.mark.parametrize("order", ORDERS)
def test_a_recording_of_threads_is_replayed_alike(tmp_path, order):
    two_threads(tmp_path)
    assert "0x4035080" in printed(tmp_path, "trace", "made.trace", "--order", order)
