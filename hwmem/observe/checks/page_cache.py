"""The page cache: every page of a file is in its place and counted, and no write to it can go unnoticed."""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.page_cache import find_page
from hwmem.linux.page_table import look_up
from hwmem.linux.readahead import pages_in
from hwmem.observe.checks.faults import CACHE_COUNT, CACHE_PLACE, FILE_USERS, WRITTEN_UNSEEN, fault


@kernel
def check_page_cache(m, found):
    cached = dirty = 0
    for frame in range(1, m.frames.fresh):
        f = m.frame[frame]
        if f.state & P.FRAME_FREE or not f.state & P.FRAME_CACHED:
            continue
        code = check_cached(m, frame, found)
        if code:
            return code
        cached += 1
        dirty += 1 if f.state & P.FRAME_DIRTY and not f.state & P.FRAME_SWAPBACKED else 0
    swapped = 0
    for slot in range(m.swap.fresh):
        owner = m.swap_owner[slot]
        if owner.file:
            swapped += 1
            if find_page(m, owner.file - 1, owner.index) != -1 - slot:
                return fault(found, CACHE_PLACE, owner.file - 1, owner.index, -1 - slot, find_page(m, owner.file - 1, owner.index))
    return check_cache_counts(m, cached, dirty, swapped, found)


@kernel
def check_cached(m, frame, found):
    """A page in the cache: its place there, and the mappings that may write to it without a fault."""
    f = m.frame[frame]
    file = f.file - 1
    if file < 0 or m.file[file].alive == 0 or f.index >= pages_in(m, file) or find_page(m, file, f.index) != frame:
        return fault(found, CACHE_PLACE, file, f.index, frame, find_page(m, file, f.index))
    if f.state & P.FRAME_DIRTY or m.file[file].shared or f.maps == 0:
        return 0
    p, va, n = f.process, f.va, f.chain
    for _ in range(f.maps):
        if look_up(m, p, va) & P.PTE_RW:
            return fault(found, WRITTEN_UNSEEN, file, f.index, p, va)
        if n:
            p, va, n = m.rmap[n - 1].process, m.rmap[n - 1].va, m.rmap[n - 1].next
    return 0


@kernel
def check_cache_counts(m, cached, dirty, swapped, found):
    """The sums over all files, and over all mappings of files."""
    all_cached = all_dirty = users = 0
    for file in range(m.files.fresh):
        f = m.file[file]
        if f.alive:
            all_cached, all_dirty, users = all_cached + f.cached, all_dirty + f.dirty, users + f.users
    if m.files.cached != cached or all_cached != cached:
        return fault(found, CACHE_COUNT, m.files.cached, all_cached, cached, 0)
    if m.files.dirty != dirty or all_dirty != dirty:
        return fault(found, CACHE_COUNT, m.files.dirty, all_dirty, dirty, 1)
    if m.files.swapped != swapped:
        return fault(found, CACHE_COUNT, m.files.swapped, swapped, swapped, 2)
    mappings = 0
    for p in range(P.MAX_PROCESSES):
        v = m.process[p].first_vma - 1 if m.process[p].alive else -1
        while v >= 0:
            mappings += 1 if m.vma[v].file else 0
            v = m.vma[v].next - 1
    return fault(found, FILE_USERS, users, mappings, 0, 0) if users != mappings else 0
