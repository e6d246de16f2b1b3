"""What must hold in a machine at rest, from its raw state: an independent reading beside Machine.check().

Single writer or many readers; an inclusive LLC's directory knows every holder; TLBs agree with the page tables in RAM.
The counters' identities are here too.
"""

from collections import defaultdict

from hwmem import params as P
from models import GONE, OWNED, PRESENT, SHARED, E, F, O, entries, page_table_leaf

LETTERS = {"msi": "ISM", "mesi": "ISEM", "moesi": "ISOEM", "mesif": "ISFEM"}


def assert_consistent(machine):
    """All of the below, and the machine's own check."""
    assert_sets_are_sets(machine)
    assert_coherent(machine)
    assert_directory_knows(machine)
    if machine.config.mmu:
        assert_tlbs_agree_with_tables(machine)
    assert_identities(machine)
    machine.check()


def cache_arrays(machine):
    m, config = machine.state, machine.config
    for c in range(config.cores):
        yield f"core {c} l1d", m.core[c].l1d
        if config.l2:
            yield f"core {c} l2", m.core[c].l2
    if config.llc:
        for s in range(config.sockets):
            yield f"llc {s}", m.llc[s]


def assert_sets_are_sets(machine):
    for name, array in cache_arrays(machine):
        seen = set()
        for set_, _, key, _, _ in entries(machine, array):
            assert key % int(array.sets) == set_, (name, hex(key), set_)
            assert key not in seen, (name, hex(key), "is there twice")
            seen.add(key)


def private_states(machine):
    """Line -> {core: the stronger of its copies' states}, valid copies only."""
    holders = defaultdict(dict)
    for c in range(machine.config.cores):
        core = machine.state.core[c]
        for array in (core.l1d, core.l2) if machine.config.l2 else (core.l1d,):
            for _, _, line, flags, _ in entries(machine, array):
                if flags & 7:
                    holders[line][c] = max(flags & 7, holders[line].get(c, 0))
    return holders


def assert_coherent(machine):
    allowed = {"ISFOEM".index(letter) for letter in LETTERS[machine.config.protocol]}
    # with an L2, E is also the right to write what the next level has a copy of, in MSI as well (cache/private.py)
    for line, states in private_states(machine).items():
        values = list(states.values())
        assert set(values) <= allowed | ({E} if machine.config.l2 else set()), (hex(line), states)
        assert len(values) == 1 or max(values) < E, (hex(line), states, "a writer is alone")
        assert values.count(O) <= 1 and values.count(F) <= 1, (hex(line), states)


def directory_entries(machine):
    """(socket, line) -> (directory state, owner, sharers) of LLC entries that hold data."""
    found = {}
    for s in range(machine.config.sockets if machine.config.llc else 0):
        llc = machine.state.llc[s]
        row = 1 << int(llc.row_shift)
        for set_, way, line, flags, word in entries(machine, llc):
            holder = int(machine.state.holder[int(llc["first"]) + set_ * row + way])
            state, owner = min(holder, OWNED), holder - OWNED if holder >= OWNED else None
            if state != GONE:
                found[s, line] = state, owner, word if state == SHARED else 0
    return found


def assert_directory_knows(machine):
    config = machine.config
    directory, holders = directory_entries(machine), private_states(machine)
    socket = [c // config.cores_per_socket for c in range(config.cores)]
    for line, states in holders.items():
        if max(states.values()) >= E and config.llc:
            home = socket[next(iter(states))]
            strangers = [s for s in range(config.sockets) if s != home and (s, line) in directory]
            assert not strangers, (hex(line), states, "another socket's LLC still has it")
    if not config.llc or config.inclusion != "inclusive":
        return
    for line, states in holders.items():
        for c, state in states.items():
            assert (socket[c], line) in directory, (hex(line), c, "the LLC is not inclusive")
            kind, owner, sharers = directory[socket[c], line]
            assert kind in (OWNED, SHARED), (hex(line), c, kind)
            assert owner == c if kind == OWNED else sharers >> c & 1, (hex(line), c, kind, owner, sharers)
    for (s, line), (kind, owner, _) in directory.items():
        assert kind in (PRESENT, SHARED, OWNED)
        if kind == OWNED:
            assert holders[line].get(owner, 0) >= E, (hex(line), owner, "the owner has it in E or M")


def assert_tlbs_agree_with_tables(machine):
    processes = {p.number + 1: p for p in machine.processes}
    for c in range(machine.config.cores):
        core = machine.state.core[c]
        for name in ("dtlb", "stlb", "dtlb_2m"):
            if core[name].ways == 0:
                continue
            for _, _, key, _, word in entries(machine, core[name]):
                if key >> 50:
                    continue  # a 2 MiB page
                process, va = processes[key >> 36], (key & (1 << 36) - 1) << 12
                record = machine.state.process[process.number]
                frame, leaf, _ = page_table_leaf(machine, int(record.root), va, int(record.levels))
                assert frame is not None, (c, name, hex(va), "is cached but not mapped")
                assert word & 0x000F_FFFF_FFFF_F000 == frame, (c, name, hex(va))
                assert word & ~leaf & 0b11 == 0, (c, name, hex(va), "more rights than the tables give")
                assert not word & P.PTE_D or leaf & P.PTE_D, (c, name, hex(va), "dirty in the TLB only")


def assert_parts_add_up(config, core):
    """The program's, the walker's and the kernel's part of each count of a core."""
    parts = [core[who] for who in ("program", "walker", "kernel")]
    for name in core["program"]:
        assert core[name] == sum(part[name] for part in parts) and min(part[name] for part in parts) >= 0, (name, core[name], parts)
    for part, accesses in zip(parts[1:], (core["walk_accesses"], core["kernel_accesses"])):
        assert part["l1d.hits"] + part["l1d.misses"] + part["uncached.reads"] + part["uncached.writes"] == accesses
    for part in parts:
        if config.l2:
            assert part["l2.hits"] + part["l2.misses"] == part["l1d.misses"]
        if config.llc:
            assert part["llc.hits"] + part["llc.misses"] == part["l2.misses" if config.l2 else "l1d.misses"]


def assert_identities(machine, counters=None, faults=False):
    """What ties the counters of one machine to each other. `faults`: some accesses ended in a signal."""
    config, counters = machine.config, counters or machine.counters()
    directory, dram, cores = counters["directory"], counters["dram"], counters["cores"]
    requests = directory["gets"] + directory["getx"] + directory["upgrades"]
    assert requests == directory["hits"] + directory["misses"], directory
    last = "l2" if config.l2 else "l1d"
    assert requests == sum(c[f"{last}.misses"] for c in cores)
    assert directory["upgrades"] == sum(c["upgrades"] for c in cores)
    assert directory["inv"] + directory["fwd_getx"] == sum(c["invalidations_received"] for c in cores)
    assert directory["memory_fills"] + sum(c["uncached.reads"] for c in cores) == dram["reads"]
    if config.llc is None or config.inclusion == "nine":
        assert directory["putx"] == directory["back_invalidations"] == 0, "only an inclusive LLC is told of victims, and recalls"
    assert dram["row_hits"] + dram["row_misses"] + dram["row_conflicts"] == dram["reads"] + dram["writes"]
    assert dram["reads"] == sum(c["dram.reads"] for c in cores) and dram["writes"] == sum(c["dram.writes"] for c in cores)
    assert sum(c["interventions_hit_modified"] for c in cores) <= directory["fwd_gets"] + directory["fwd_getx"]
    for core in cores:
        accesses = core["loads"] + core["stores"] + core["atomics"]
        if not faults:
            assert core["l1d.hits"] + core["l1d.misses"] == (
                accesses
                + core["split_accesses"]
                + core["walk_accesses"]
                + core["kernel_accesses"]
                + core["store_buffer.drains"]
                + core["store_buffer.fetches"]
                - core["store_buffer.stores"]
                - core["store_buffer.forwards"]
                - core["store_buffer.streams"]
                - core["invalidation_queue.loads"]
                - core["uncached.reads"]
                - core["uncached.writes"]
            ), core
        if config.mmu and not faults:
            assert core["dtlb.hits"] + core["dtlb.misses"] == accesses + core["split_accesses"], core
        if config.mmu and config.stlb:
            assert core["stlb.hits"] + core["stlb.misses"] == core["dtlb.misses"]
            assert core["walks"] == core["stlb.misses"] + core["faults.minor"] + core["faults.major"]
        if config.l2:
            assert core["l2.hits"] + core["l2.misses"] == core["l1d.misses"], core
        if config.llc:
            assert core["llc.hits"] + core["llc.misses"] == core[f"{last}.misses"], core
        assert_parts_add_up(config, core)
        assert core["idle_cycles"] <= core["cycles"]
        assert core["invalidation_queue.processed"] <= core["invalidation_queue.lines"] <= core["invalidations_received"]
