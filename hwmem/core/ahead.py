"""A look ahead on the host: what an access will need of the host's memory is fetched while something else goes on. Nothing emulated changes."""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.cache.private import expect_request
from hwmem.memory.ram import prefetch
from hwmem.mmu.walk import foresee


@kernel
def expect(m, t, va):
    """Thread `t` will soon access `va`."""
    core = m.core[m.thread[t].core]
    pa = foresee(m, core, va) if m.mmu else va
    if 0 <= pa < m.ram_size:
        prefetch(m.ram_base + pa)
        expect_request(m, core, pa >> P.LINE_SHIFT)
