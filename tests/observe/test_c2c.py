"""The tables of contended lines, against counts taken from the list of accesses and from the machine's counters."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from observed import BASE, ENDLESS, SMALL, accesses, machine, random_trace, replay

from hwmem.observe import c2c, switches


def watched(trace, **config):
    m = machine(**config)
    switches.start(m, c2c=True)
    replay(m, trace)
    return m


def really_shared(trace, line):
    """Whether two cores (there is a thread on each) touch one byte of the line and one of them writes it."""
    on_line = [a for a in trace if a[1] >> 6 == line]
    return any(a[0] != b[0] and a[3] and set(range(a[1], a[1] + a[2])) & set(range(b[1], b[1] + b[2])) for a in on_line for b in on_line)


def contended(trace):
    """Lines that two cores touch, one of them writing."""
    lines = {a[1] >> 6 for a in trace}
    return {n for n in lines if len({a[0] for a in trace if a[1] >> 6 == n}) > 1 and any(a[3] for a in trace if a[1] >> 6 == n)}


@settings(max_examples=80)
@given(accesses(cores=4, lines=4))
def test_the_verdict_is_that_of_the_bytes_once_a_pattern_repeats(trace):
    rows = c2c.table(watched(trace * 2, **ENDLESS))
    assert {row["physical"] >> 6: row["sharing"] for row in rows} == {
        line: "true" if really_shared(trace, line) else "false" for line in contended(trace)
    }


@settings(max_examples=60)
@given(accesses(cores=4, lines=4))
def test_every_access_to_a_contended_line_is_in_the_cell_of_its_offset_and_thread(trace):
    m = watched(trace, **ENDLESS)
    before = {cell_key(cell): cell["served"].sum() for cell in c2c.snapshot(m)}
    replay(m, trace)
    counted = {cell_key(cell): cell["served"].sum() - before.get(cell_key(cell), 0) for cell in c2c.snapshot(m)}
    lines = {line for line, _, _ in before} & contended(trace)
    assert {k: n for k, n in counted.items() if n and k[0] in lines} == Counter(
        (a[1] >> 6, a[1] & 63, a[0]) for a in trace if a[1] >> 6 in lines
    )


def cell_key(cell):
    """(line, offset, core): a replay's thread runs on one core."""
    return int(cell["line"]), int(cell["offset"]), int(cell["cores"]).bit_length() - 1


def test_hitms_are_split_by_whether_another_thread_writes_what_was_touched():
    """Words A (core 0 writes it, core 1 reads it) and B (the other way round) of one line, and C, which only core 0 touches."""
    a, b, c = BASE, BASE + 8, BASE + 16
    trace = [
        (0, a, 8, True),
        (1, a, 8, False),  # true: core 0's A
        (1, b, 8, True),  # an upgrade
        (0, a, 8, True),  # false: its own A, which lies beside core 1's B
        (1, b, 8, False),
        (1, b, 8, True),  # false: its own B; an upgrade
        (0, c, 8, False),  # false: nobody else's
        (1, b, 8, True),
        (0, b, 8, False),
    ]  # an upgrade; true
    (row,) = c2c.table(watched(trace, **ENDLESS))
    by_offset = {(o["thread"], o["offset"]): (o["hitm_true"], o["hitm_false"]) for o in row["offsets"]}
    first, second = row["threads"]
    assert by_offset == {(first, 0): (0, 1), (first, 8): (1, 0), (first, 16): (0, 1), (second, 0): (1, 0), (second, 8): (0, 1)}
    assert (row["hitm_true"], row["hitm_false"]) == (2, 3) and row["sharing"] == "true"


@pytest.mark.parametrize("lines", [5, 24, 200])
def test_every_hit_in_a_modified_line_is_in_the_table(lines, seed):
    trace = random_trace(np.random.default_rng(seed), 1000, lines)
    for config in (SMALL, {**SMALL, "sockets": 2, "interconnect": {"remote_forward": 300, "remote_llc": 200}}):
        m = watched(trace, **config, protocol="moesi")
        cores = m.counters()["cores"]
        offsets = [o for row in c2c.table(m) for o in row["offsets"]]
        assert sum(o["hitm"] for o in offsets) == sum(c["interventions_hit_modified"] for c in cores)
        assert sum(o["rmt_hitm"] for o in offsets) == sum(c["interventions_remote"] for c in cores)


@pytest.mark.parametrize("lines", [5, 24, 200])
def test_the_columns_of_a_row_add_up(lines, seed):
    trace = random_trace(np.random.default_rng(seed), 1000, lines)
    rows = c2c.table(watched(trace, **SMALL))
    for row in [*rows, *(o for r in rows for o in r["offsets"])]:
        assert row["loads"] + row["stores"] + row["atomics"] == row["records"]
        assert row["store_l1_hit"] + row["store_l1_miss"] == row["stores"]
        assert row["lcl_hitm"] + row["rmt_hitm"] == row["hitm"] >= row["load_hitm"]
        assert row["loads"] + row["atomics"] == (
            row["load_l1_hit"]
            + row["load_l2_hit"]
            + row["load_llc_hit"]
            + row["load_rmt_llc_hit"]
            + row["load_hitm"]
            + row["lcl_dram"]
            + row["rmt_dram"]
            + row["atomic_upgrades"]
        )
    for row in rows:
        for name in ("records", "hitm", "loads", "stores", "llc_ld_miss", "upgrades"):
            assert row[name] == sum(o[name] for o in row["offsets"])
    assert not rows or sum(row["hitm_percent"] for row in rows) == pytest.approx(100 if any(r["hitm"] for r in rows) else 0)


@pytest.mark.parametrize("lines", [5, 200])
def test_the_worst_lines_alone_are_the_table_s_first(lines, seed):
    trace = random_trace(np.random.default_rng(seed), 1000, lines)
    cells = c2c.snapshot(watched(trace, **SMALL))
    whole = c2c.rows_and_cells(cells, ())
    assert [row["hitm"] for row, _ in whole] == sorted((row["hitm"] for row, _ in whole), reverse=True)
    for most in (1, 2, len(whole), len(whole) + 1):
        assert c2c.rows_and_cells(cells, (), most) == whole[:most]


def test_counters_in_one_line_are_false_sharing_by_their_names():
    trace = [(c, BASE + 8 * c, 8, True) for _ in range(30) for c in range(4)]
    (row,) = c2c.table(watched(trace), symbols=[(BASE, BASE + 32, "counter", 8), (BASE + 64, BASE + 128, "other")])
    assert (row["address"], row["physical"], row["sharing"], row["symbol"]) == (BASE, BASE, "false", "counter[0]")
    assert [(o["offset"], o["symbol"], o["cores"], o["sharing"]) for o in row["offsets"]] == [
        (8 * c, f"counter[{c}]", [c], "false") for c in range(4)
    ]
    assert len(row["threads"]) == 4 and row["hitm_percent"] == 100
    assert row["hitm"] == 119 and row["stores"] == 119  # all but the first store, after which the line became contended


def test_one_counter_for_all_is_true_sharing_and_a_line_with_both_kinds_is_true():
    shared = [(c, BASE, 8, True) for _ in range(10) for c in range(4)]
    assert c2c.table(watched(shared))[0]["sharing"] == "true"
    apart = [(c, BASE + 8 + 8 * c, 8, True) for _ in range(10) for c in range(4)]
    (row,) = c2c.table(watched(shared + apart))
    assert row["sharing"] == "true"
    assert {o["offset"]: o["sharing"] for o in row["offsets"]} == {0: "true", 8: "false", 16: "false", 24: "false", 32: "false"}


def test_what_was_written_before_anybody_else_came_decides_about_the_first_reader():
    for reads, sharing in ((BASE + 8, "true"), (BASE + 16, "false")):
        (row,) = c2c.table(watched([(0, BASE + 8, 8, True), (1, reads, 8, False)]))
        assert (row["hitm"], row["sharing"], row["cores"]) == (1, sharing, [0, 1])


def test_lines_of_one_core_and_lines_that_are_only_read_are_not_contended():
    alone = [(0, BASE + 64 * i, 8, i % 2 == 0) for i in range(40)]
    readers = [(c, BASE + 8192, 8, False) for _ in range(5) for c in range(4)]
    assert c2c.table(watched(alone * 3 + readers, **SMALL)) == []
    assert c2c.text([]) == "No contended lines.\n"


def test_a_line_recalled_for_room_in_the_llc_is_not_contended():
    stream = [(1, BASE + 4096 + 64 * i, 8, False) for i in range(200)]
    m = watched([(0, BASE, 8, True), *stream] * 3, **{**SMALL, "l1d": {"size": "4KiB", "ways": 4}, "l2": None})
    assert m.counters()["cores"][0]["invalidations_received"] > 0
    assert len(c2c.snapshot(m)) == 0


def test_hits_in_modified_lines_cost_what_the_configuration_says():
    m = watched([(c, BASE + 8 * c, 8, False) if c == 1 else (c, BASE + 8 * c, 8, True) for _ in range(20) for c in (0, 1)])
    reader = next(o for o in c2c.table(m)[0]["offsets"] if o["cores"] == [1])
    waited = m.counters()["cores"][1]["line_wait_cycles"]
    assert reader["hitm"] == 20
    assert reader["lcl_hitm_cycles"] * 20 == pytest.approx(m.config.interconnect.forward * 20 + waited)


def test_atomics_of_threads_count_among_the_loads():
    m = machine(mmu=True)
    p = m.spawn()
    a = p.mmap(0, 4096)
    p.touch(a, 4096)
    switches.start(m, c2c=True)
    for n in range(20):
        p.fetch_add(a + 128, 1, core=n % 2)
    (row,) = c2c.table(m, symbols=[(a + 128, a + 136, "lock")])
    assert (row["address"], row["symbol"], row["sharing"]) == (a + 128, "lock", "true")
    assert row["physical"] == p.physical(a + 128)
    assert (row["atomics"], row["loads"], row["stores"], row["hitm"]) == (19, 0, 0, 19)  # all but the first
    assert {o["process"] for o in row["offsets"]} == {p.number}


def test_two_owners_of_one_frame_do_not_meet():
    m = machine(mmu=True, cores=2)
    switches.start(m, c2c=True)
    p = m.spawn()
    for core in (0, 1):
        a = p.mmap(0, 4096)
        for _ in range(3):
            p.store(a + 8 * core, 1, core=core)
        p.munmap(a, 4096)
    assert [row for row in c2c.table(m) if row["sharing"] == "true"] == []
    assert c2c.table(m) == []


def test_symbols_are_named_by_element_or_by_distance():
    names = c2c.Names([(200, 230, "header"), (100, 140, "ring", 8)])
    assert [names.of(at, at + 1) for at in (99, 100, 117, 139, 140, 200, 212, 230)] == [
        "",
        "ring[0]",
        "ring[2]+1",
        "ring[4]+7",
        "",
        "header",
        "header+12",
        "",
    ]
    assert names.of(64, 128) == "ring[0]"


def test_of_variables_one_inside_another_the_outer_one_names_the_place():
    names = c2c.Names([(100, 108, "inner"), (64, 192, "outer"), (300, 308, "last"), (100, 104, "first")])
    assert [names.of(at, at + 1) for at in (70, 101, 150, 191, 192, 299, 300)] == [
        "outer+6",
        "outer+37",
        "outer+86",
        "outer+127",
        "",
        "",
        "last",
    ]
    assert names.of(192, 320) == "last"


def test_the_text_has_both_tables_in_120_columns():
    trace = [(c, BASE + 64 * n + 8 * c, 8, c % 2 == 0) for _ in range(30) for n in range(30) for c in range(4)]
    rows = c2c.table(
        watched(trace, **SMALL, sockets=2, interconnect={"remote_forward": 300, "remote_llc": 200}),
        symbols=[(BASE, BASE + 4096, "a_name_that_goes_on_and_on_and_on", 8)],
    )
    for row in rows:
        row["stores"] = row["records"] = 12_345_678_901
    text = c2c.text(rows)
    assert max(map(len, text.splitlines())) <= 120
    assert "and 10 lines with fewer HITMs" in text and "12.35G" in text
    for name in ("Cacheline", "Hitm", "Store Reference", "L1Miss", "Dram", "HITM", "Offset", "Pid", "Tid", "lcl hitm", "cpu"):
        assert name in text


def test_a_snapshot_is_a_copy_and_overflow_is_counted():
    m = watched([(c, BASE + 8 * c, 8, True) for _ in range(9) for c in range(4)])
    cells = c2c.snapshot(m)
    assert c2c.table(cells) == c2c.table(m) and c2c.dropped(m) == 0
    replay(m, [(0, BASE, 8, True)] * 5)
    assert c2c.table(cells) != c2c.table(m)
    m.state.observe.cells = len(m.state.cell)  # as if the table were full
    replay(m, [(0, BASE + 40, 8, True)] * 5)
    assert c2c.dropped(m) == 5
