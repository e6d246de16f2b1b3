"""Machine.check(): silent while machines do random work, and it names what somebody else has broken."""

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observed import BASE, SMALL, machine, random_trace, replay

from hwmem import params as P
from hwmem.errors import MachineError
from hwmem.linux.frames import link_block, unlink_block
from hwmem.observe.check import cores_of, line_holders
from hwmem.observe.checks.counts import CORE_IDENTITIES, MACHINE_IDENTITIES
from hwmem.observe.checks.faults import SENTENCES

REMOTE = {"sockets": 2, "interconnect": {"remote_forward": 300, "remote_llc": 200}}
KINDS = [
    {"protocol": protocol, "inclusion": inclusion, **levels, **sockets}
    for protocol in ("msi", "mesi", "moesi", "mesif")
    for inclusion in ("inclusive", "nine")
    for levels in ({}, {"l2": None}, {"llc": None})
    for sockets in ({}, REMOTE)
]


POLICIES = ("lru", "tree-plru", "nru", "random", "wide")


def with_policy(config, policy):
    """The small caches under `config`, all with one replacement policy ("lru" of more than 16 ways: "wide")."""
    if policy == "wide":
        return {**SMALL, "llc": {"size": "16KiB", "ways": 32}, **config}
    policies = {"l1d": policy, "l2": "lru" if policy == "random" else policy, "llc": policy}
    return {**{name: {**SMALL[name], "replacement": policies[name]} for name in SMALL}, **config}


@pytest.mark.parametrize("policy", POLICIES)
def test_random_accesses_break_nothing(policy, seed):
    rng = np.random.default_rng(seed)
    for config in KINDS:
        m = machine(**with_policy(config, policy))
        for lines in (10, 40, 40, 200, 40):
            replay(m, random_trace(rng, 60, lines))
            m.check()


@pytest.mark.parametrize("l2", [{"size": "64B", "ways": 1}, {"size": "1KiB", "ways": 4, "replacement": "random"}])
def test_a_victim_that_displaces_the_incoming_line_from_the_l2_breaks_nothing(l2):
    rng = np.random.default_rng(0)
    m = machine(**{**SMALL, "l2": l2})
    for _ in range(30):
        replay(m, random_trace(rng, 60, 40))
        m.check()


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 3), st.sampled_from(("map", "unmap", "write", "add", "load")), st.integers(0, 30)),
        max_size=60,
    ),
    st.sampled_from(("sc", "tso", "relaxed")),
    st.sampled_from(({}, {"dtlb_2m": None}, {"stlb": None})),
)
def test_processes_that_map_touch_and_unmap_break_nothing(steps, ordering, tlbs):
    m = machine(mmu=True, ordering=ordering, **tlbs)
    processes = [m.spawn(), m.spawn("linux-i386")]
    start = [p.mmap(0, 32 * P.PAGE) for p in processes]
    for which, core, what, page in steps:
        p, a = processes[which], start[which] + page * P.PAGE
        if what == "unmap":
            p.munmap(a, 2 * P.PAGE)
        elif what == "map":
            p.mmap(a, 2 * P.PAGE, flags=P.MAP_PRIVATE | P.MAP_ANONYMOUS | P.MAP_FIXED)
        else:
            try:
                {
                    "write": lambda: p.write(a, bytes(100), core),
                    "add": lambda: p.fetch_add(a + 8, 1, core),
                    "load": lambda: p.load_many([a, a + 64], core=core),
                }[what]()
            except MachineError:
                pass  # unmapped: SIGSEGV
        m.check()
    processes[0].exit()
    m.check()


def busy_machine(**config):
    """A machine with something in every structure."""
    m = machine(mmu=True, ordering="tso", memory="16MiB", swap="4MiB", thp="madvise", **config)
    p = m.spawn()
    a, b, h = p.mmap(0, 64 * P.PAGE), p.mmap(0, 32 * P.PAGE), p.mmap(0, 2 * P.HUGE_PAGE)
    p.touch(b, 32 * P.PAGE)
    p.fork()  # b's pages are shared
    p.touch(b + 20 * P.PAGE, 10 * P.PAGE)
    p.madvise(b + 20 * P.PAGE, 8 * P.PAGE, P.MADV_PAGEOUT)
    p.load(b + 20 * P.PAGE)  # in the swap cache, and mapped
    p.madvise(h, 2 * P.HUGE_PAGE, P.MADV_HUGEPAGE)
    p.touch(h, 2 * P.HUGE_PAGE)
    for core in range(4):
        p.write(a + 4096 * core, bytes(200), core)
        p.load_many([a + 64 * i for i in range(30)], core=core)
    p.fetch_add(a, 1, core=2)
    p.munmap(a + 3 * P.PAGE, P.PAGE)
    for core in (2, 3):
        p.load_many([a + 8, a + 64 * 9], core=core)
    m.check()
    return m, p, a


def entry_of(m, s, line):
    first = int(s["first"]) + (line % int(s.sets) << int(s.row_shift))
    return next(i for i in range(first, first + int(s.ways)) if (int(m.tag[i]) & P.KEY_MASK) >> P.TAG_SHIFT == line)


def first_entry(m, s):
    return int(s["first"]) + int(np.flatnonzero(m.tag[int(s["first"]) :] & P.OCCUPIED)[0])


def set_state(m, i, state):
    m.tag[i] = int(m.tag[i]) & ~P.STATE_MASK | state


def break_directory_bit(m, line):
    i = entry_of(m, m.llc[0], line)
    m.holder[i] = P.OWNED + 3


def break_duplicate(m, line):
    l1 = m.core[2].l1d
    i = entry_of(m, l1, line)
    first = int(l1["first"]) + (i - int(l1["first"]) >> int(l1.row_shift) << int(l1.row_shift))
    m.tag[first if i != first else first + 1] = m.tag[i]


def break_order(m, line):
    m.order[int(m.core[2].l1d.order_base) + line % int(m.core[2].l1d.sets)] ^= np.uint64(0x7)


def break_page(m, frame_bit=12):
    i = first_entry(m, m.core[2].dtlb)
    m.word[i] = int(m.word[i]) ^ 1 << frame_bit


def bump(record, field, by=1):
    record[field] = record[field] + by


def frames_with(m, state, without=0):
    """Frames whose state has all bits of `state` and none of `without`."""
    states = m.frame["state"][: int(m.frames.fresh)]
    return [int(f) for f in np.flatnonzero((states & state == state) & (states & without == 0))]


def own_page(m):
    """A frame that one small entry of process 0 leads to, and that is on an LRU list."""
    return next(
        f
        for f in frames_with(m, P.FRAME_ANON | P.FRAME_EXCLUSIVE, P.FRAME_HEAD | P.FRAME_TAIL)
        if m.frame[f].maps == 1 and not m.frame[f].slot
    )


def edit_entry(m, va, change):
    """Replace process 0's leaf entry of `va` by what `change` makes of it."""
    table = int(m.process[0].root)
    ram = np.ctypeslib.as_array((ctypes.c_int64 * (int(m.ram_size) // 8)).from_address(int(m.ram_base)))
    for level in (3, 2, 1):
        table = int(ram[table // 8 + (va >> 12 + 9 * level & 511)]) & P.PTE_FRAME
    place = table // 8 + (va >> 12 & 511)
    ram[place] = change(int(ram[place]))


def edit_own(m, change):
    edit_entry(m, int(m.frame[own_page(m)].va), change)


def hole(m):
    """The page that busy_machine has unmapped between two VMAs of process 0."""
    n = first_vma(m)
    while int(m.vma[n].end) + P.PAGE != int(m.vma[m.vma[n].next - 1].start):
        n = int(m.vma[n].next) - 1
    return int(m.vma[n].end)


def split_buddies(m):
    """A free block becomes two that nobody joins."""
    order = next(k for k in range(1, 11) if m.frames.head[k])
    frame = int(m.frames.head[order])
    unlink, link = (getattr(f, "py_func", f) for f in (unlink_block, link_block))
    unlink(m, frame, order)
    for half in (frame, frame + (1 << order - 1)):
        link(m, half, order - 1, 0)


def lose_frame(m):
    """A free frame of core 0 is used from now on, for nothing."""
    frame = int(m.frames.core_head[0])
    m.frames.core_head[0] = m.frame[frame].next
    m.frames.core_count[0] -= 1
    m.frames.used += 1
    m.frame[frame].state = 0


def set_field(rows, i, field, value):
    rows[i][field] = value(int(rows[i][field]))


def first_vma(m):
    return int(m.process[0].first_vma) - 1


LINUX_DAMAGES = {
    "a frame counted as used too many": (lambda m: bump(m.frames, "used"), "frames: "),
    "a page too many": (lambda m: bump(m.process[0], "anon"), "process 0: .* anonymous pages are counted"),
    "a table too many": (lambda m: bump(m.process[0], "table_pages"), "page tables are counted"),
    "a swapped page too few": (lambda m: bump(m.process[0], "swapped", -1), "pages in swap are counted"),
    "a block in use": (
        lambda m: set_field(m.frame, int(m.frames.head[m.frames.head.nonzero()[0][0]]), "state", lambda s: 0),
        "cannot be in a block",
    ),
    "buddies not joined": (split_buddies, "are not joined"),
    "a block too many": (lambda m: bump(m.frames.count, 3), "blocks of order 3 are counted"),
    "a core's list that ends early": (lambda m: bump(m.frames.core_count, 0), "core 0: frame .* of its list"),
    "a frame lost": (lose_frame, "nobody has it"),
    "a table that is none": (lambda m: set_field(m.frame, frames_with(m, P.FRAME_TABLE)[0], "state", lambda s: 0), "is met as"),
    "a broken LRU list": (lambda m: set_field(m.frame, int(m.lru.tail[P.LRU_INACTIVE_ANON]), "prev", lambda f: 0), "LRU list 1: frame"),
    "an LRU page too many": (lambda m: bump(m.lru.pages, P.LRU_INACTIVE_FILE), "LRU list 3: "),
    "a page on the wrong list": (lambda m: set_field(m.frame, own_page(m), "state", lambda s: s ^ P.FRAME_SWAPBACKED), "which is not its"),
    "a reverse mapping astray": (lambda m: set_field(m.frame, own_page(m), "va", lambda va: va + P.PAGE), "reverse mappings do not know"),
    "a mapping too many": (lambda m: set_field(m.frame, own_page(m), "maps", lambda n: n + 1), "mappings are recorded"),
    "a record of a mapping lost": (lambda m: bump(m, "rmap_fresh"), "reverse mappings: "),
    "a huge page without a tail": (
        lambda m: set_field(m.frame, frames_with(m, P.FRAME_TAIL)[5], "state", lambda s: s ^ P.FRAME_TAIL),
        "does not fit the huge page",
    ),
    "a slot too often stood for": (lambda m: bump(m.swap_map, 3), "swap slot 3: "),
    "a frame of another slot": (lambda m: bump(m.swap_cache, 2), "the swap cache has frame"),
    "a slot used too many": (lambda m: bump(m.swap, "used"), "slots are said to be used"),
    "an entry that leads to a table": (lambda m: edit_own(m, lambda e: e & ~P.PTE_FRAME | int(m.process[0].root)), "which is no page"),
    "an entry of no slot": (lambda m: edit_own(m, lambda e: P.PTE_SWAP | 99999 << 12), "stands for no swap slot"),
    "a writable entry of a shared page": (
        lambda m: set_field(m.frame, own_page(m), "state", lambda s: s ^ P.FRAME_EXCLUSIVE),
        "which others may have",
    ),
    "an entry outside all mappings": (lambda m: edit_entry(m, hole(m), lambda e: 5), "lies in no mapping"),
    "VMAs out of order": (lambda m: set_field(m.vma, first_vma(m), "start", lambda start: start + (1 << 46)), "is out of order"),
    "an end that look-ups do not know": (lambda m: set_field(m.vma, first_vma(m), "end", lambda end: end + 4096), "the tree is wrong"),
    "a gap that is not there": (lambda m: set_field(m.vma, int(m.process[0].tree) - 1, "widest", lambda n: n + 4096), "the tree is wrong"),
    "a VMA too many": (lambda m: bump(m.process[0], "vma_count"), "its counts are others"),
    "a look-up's answer out of date": (lambda m: set_field(m.process, 0, "found_high", lambda high: P.PAGE), "which it is not"),
    "a promise too many": (lambda m: bump(m.mm, "committed"), "said to be promised"),
}

DAMAGES = {
    "two writers": (lambda m, line: set_state(m, entry_of(m, m.core[3].l1d, line), P.M), "holds it in M, and core . has a copy"),
    "a state of another protocol": (lambda m, line: set_state(m, entry_of(m, m.core[2].l1d, line), P.O), "protocol does not have"),
    "a wrong owner": (break_directory_bit, "directory names cores 3|owned by core 3"),
    "no LLC entry": (lambda m, line: m.tag.__setitem__(entry_of(m, m.llc[0], line), 0), "has it not"),
    "a link that leads astray": (lambda m, line: bump(m.word, entry_of(m, m.core[2].l1d, line), 8), "linked to entry"),
    "a line twice in a set": (break_duplicate, "is in entries"),
    "a stack that is no permutation": (break_order, "replacement state"),
    "a key in the wrong set": (lambda m, line: bump(m.tag, first_entry(m, m.core[2].dtlb), 64), "belongs to the set at"),
    "a TLB entry with another frame": (lambda m, line: break_page(m), "the page table says"),
    "a TLB entry with more rights": (lambda m, line: [break_page(m, bit) for bit in (1, 6)] and None, "more rights|says|lacks a right"),
    "a filter entry for another line": (lambda m, line: bump(m.core[2].hot["host"], slice(None), 64), "hit filter"),
    "a store entry for a shared line": (
        lambda m, line: m.core[3].hot["store"].__setitem__(slice(None), m.core[3].hot["line"]),
        "lets stores",
    ),
    "an uncounted hit": (lambda m, line: bump(m.core[1].l1d, "hits", -1), "counters of core 1: l1d.hits"),
    "an uncounted request": (lambda m, line: bump(m.directory, "gets"), "counters of the machine: gets"),
    "too many stores waiting": (lambda m, line: bump(m.core[0], "sb_count", 99), "store"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_machine_is_noticed_and_the_damage_is_named(damage):
    m, p, a = busy_machine()
    do, words = DAMAGES[damage]
    do(m.state, p.physical(a) >> P.LINE_SHIFT)
    with pytest.raises(MachineError, match=words):
        m.check()


@pytest.mark.parametrize("damage", LINUX_DAMAGES)
def test_damage_to_linuxs_records_is_noticed_and_named(damage):
    m, p, _ = busy_machine()
    b = p.mmap(0, 64 * P.PAGE)
    p.store(b, 1)
    p.munmap(b, 64 * P.PAGE)  # so much that all TLBs are flushed: they do not notice first
    do, words = LINUX_DAMAGES[damage]
    do(m.state)
    with pytest.raises(MachineError, match=words):
        m.check()


QUEUE_DAMAGES = {
    "too many lines waiting": (lambda core: bump(core, "iq_count", 99), "core 0: 100 lines wait"),
    "a filter that answers": (lambda core: core.hot["line"].__setitem__(0, 63), "hit filter|filter takes"),
    "the short way": (lambda core: bump(core, "plain"), "may take its short way; 0 stores and 1 lines"),
    "a line that was never counted": (lambda core: bump(core, "invalidations_processed"), "lines that wait"),
    "more lines than messages": (
        lambda core: [bump(core, name, 999) for name in ("invalidations_queued", "invalidations_processed")] and None,
        "at most invalidations_received",
    ),
}


@pytest.mark.parametrize("damage", QUEUE_DAMAGES)
def test_damage_to_the_invalidation_queue_is_noticed_and_named(damage):
    m = machine(ordering="relaxed", invalidation_queue={"delay": 1000})
    replay(m, [(0, BASE, 8, False), (1, BASE, 8, True)])
    m.check()
    assert m.state.core[0].iq_count == 1
    do, words = QUEUE_DAMAGES[damage]
    do(m.state.core[0])
    with pytest.raises(MachineError, match=words):
        m.check()


def test_a_line_outside_ram_waits_only_where_there_is_no_mmu():
    """Without one, a trace's addresses need not lie in RAM."""
    m = machine(ordering="relaxed", mmu=True, invalidation_queue={"delay": 100_000})
    p = m.spawn()
    a = p.mmap(0, 4096)
    p.load(a, core=0), p.store(a, 1, core=1), p.load(a, core=0), p.store(a, 2, core=1)
    m.check()
    core = next(core for core in m.state.core[:2] if core.iq_count)
    core.iq_line[0] = 1 << 40
    with pytest.raises(MachineError, match="which is not in RAM"):
        m.check()


def test_every_sentence_can_be_said():
    assert set(SENTENCES) == set(range(1, len(SENTENCES) + 1))
    assert len(set(CORE_IDENTITIES + MACHINE_IDENTITIES)) == len(CORE_IDENTITIES) + len(MACHINE_IDENTITIES)


def test_the_holders_of_a_line_are_told_by_core_and_level():
    m = machine(**SMALL, protocol="moesi")
    replay(m, [(1, BASE, 8, True), (3, BASE, 8, False)])
    assert line_holders(m, BASE + 5) == {
        "physical": BASE,
        "state": {1: "O", 3: "S"},
        "l1d": {1: "O", 3: "S"},
        "l2": {1: "S", 3: "S"},
        "directory": "SHARED",
        "sharers": [1, 3],
        "dirty": True,
        "socket": {0: {"directory": "SHARED", "sharers": [1, 3], "dirty": False, "remote": False}},
    }
    replay(m, [(0, BASE, 8, True)])
    holders = line_holders(m, BASE)
    assert (holders["state"], holders["directory"], holders["sharers"]) == ({0: "M"}, "OWNED", [0])


def test_a_line_that_nobody_holds_has_no_holders():
    assert line_holders(machine(), BASE) == {
        "physical": BASE,
        "state": {},
        "l1d": {},
        "l2": {},
        "directory": None,
        "sharers": [],
        "dirty": False,
        "socket": {},
    }


def test_each_socket_has_its_own_entry_and_one_that_lost_the_line_says_so():
    m = machine(**SMALL, **REMOTE, recency="gem5")
    replay(m, [(0, BASE, 8, False), (2, BASE, 8, False)])
    assert [e["remote"] for e in line_holders(m, BASE)["socket"].values()] == [True, True]
    replay(m, [(3, BASE, 8, True)])
    assert {s: e["directory"] for s, e in line_holders(m, BASE)["socket"].items()} == {0: "GONE", 1: "OWNED"}
    assert cores_of(0b1010) == [1, 3]
    m.check()
