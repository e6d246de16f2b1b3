"""segments-pages and overlay: the counts of a plain model, and the same answers by either way."""

import numpy as np
import pytest

import hwmem
from hwmem import params as P
from hwmem.programs.memory.contiguous import DESCRIPTOR, requests
from hwmem.programs.memory.overlay import SEED, USED

MEMORY, REQUESTS, LOAD = 1 << 20, 600, 90


def by_segments(way, sizes, ends, memory):
    """A model with an interval list: {"refused", "compactions", "moved", "external", "map"}."""
    pieces, out = [], {"refused": 0, "compactions": 0, "moved": 0, "external": 0.0, "map": 0}  # (start, size, end)
    for now, size in enumerate(map(int, sizes)):
        pieces = [p for p in pieces if p[2] > now]
        bounds = [0] + [x for start, n, _ in pieces for x in (start, start + n)] + [memory]
        holes = [(bounds[k], bounds[k + 1] - bounds[k]) for k in range(0, len(bounds), 2)]
        free, largest = sum(n for _, n in holes), max(n for _, n in holes)
        out["external"] += int((free - largest) * 1_000_000 // max(free, 1))
        out["map"] = max(out["map"], DESCRIPTOR * len(pieces))
        if size > free:
            out["refused"] += 1
            continue
        fitting = [hole for hole in holes if hole[1] >= size]
        if fitting:
            place = {
                "first fit": lambda: fitting[0],
                "best fit": lambda: min(fitting, key=lambda h: h[1]),
                "worst fit": lambda: max(fitting, key=lambda h: h[1]),
            }[way]()[0]
        else:
            out["compactions"] += 1
            place, moved = 0, []
            for start, n, end in pieces:
                out["moved"] += n if start != place else 0
                moved.append((place, n, end))
                place += n
            pieces = moved
        pieces = sorted([*pieces, (place, size, int(ends[now]))])
    out["external"] /= len(sizes) * 1e6
    return out


def by_pages(sizes, ends, memory):
    """(refused, internal fragmentation)."""
    pieces, refused, internal = [], 0, 0
    for now, size in enumerate(map(int, sizes)):
        pieces = [p for p in pieces if p[1] > now]
        used = sum(-(-n // P.PAGE) * P.PAGE for n, _ in pieces)
        internal += (used - sum(n for n, _ in pieces)) * 1_000_000 // max(used, 1)
        if used + -(-size // P.PAGE) * P.PAGE > memory:
            refused += 1
        else:
            pieces.append((size, int(ends[now])))
    return refused, internal / len(sizes) / 1e6


@pytest.fixture(scope="module")
def served():
    """The run's figures by way, and the requests it served."""
    seed = 11
    v = hwmem.run("segments-pages", seed=seed, memory=MEMORY, requests=REQUESTS, load=LOAD).values
    names = ("refused", "compactions", "moved", "external", "internal", "map")
    ways = {way: dict(zip(names, row)) for way, row in zip(v["grid"]["rows"], zip(*(v[name] for name in names)))}
    return v, ways, requests(np.random.default_rng(seed), REQUESTS, MEMORY, LOAD)


@pytest.mark.parametrize("way", ["first fit", "best fit", "worst fit"])
def test_segments_are_refused_compacted_and_moved_as_a_model_says(served, way):
    _, ways, stream = served
    expected = by_segments(way, *stream, MEMORY)
    assert expected["compactions"] > 0 and expected["external"] > 0.1  # the stream asks for it
    assert ways[way] == pytest.approx(expected | {"internal": 0})


def test_pages_waste_the_end_of_the_last_and_nothing_else(served):
    _, ways, stream = served
    refused, internal = by_pages(*stream, MEMORY)
    pages = ways["pages"]
    assert (pages["refused"], pages["compactions"], pages["moved"], pages["external"]) == (refused, 0, 0, 0)
    assert pages["internal"] == pytest.approx(internal) and 0 < internal < 0.3
    assert pages["map"] % P.PAGE == 0 and pages["map"] > 0


def test_no_piece_is_spoilt_by_moving_it(served):
    assert served[0]["spoilt"] == 0


def test_who_has_enough_free_memory_is_served_by_every_fit(served):
    _, ways, _ = served
    assert ways["first fit"]["refused"] == ways["best fit"]["refused"] == ways["worst fit"]["refused"]


@pytest.fixture(scope="module")
def overlaid():
    return hwmem.run("overlay", seed=3, modules=8, module="64KiB", calls=60, visits=100).values


def test_overlays_and_paging_add_up_the_same_words(overlaid):
    rng = np.random.default_rng(3)
    words = rng.integers(0, 1 << 30, 8 * 65536 // 8).reshape(8, -1)
    total, x = 0, SEED
    for number in overlaid["sequence"]:
        for _ in range(100):
            x = (x * 1103515245 + 12345) % (1 << 31)
            total += int(words[number, (x >> 4) % (65536 // USED // 8)])
    assert overlaid["sums"] == [total] * 3


def test_overlays_read_a_whole_module_at_each_change_and_fault_only_for_the_region(overlaid):
    sequence = np.array(overlaid["sequence"])
    changes = 1 + int((np.diff(sequence) != 0).sum())
    assert overlaid["loads"] == [changes, 0, 0] and overlaid["bytes"][0] == changes * 65536
    assert (overlaid["minor"][0], overlaid["major"][0]) == (65536 // P.PAGE, 0)


def test_with_room_for_all_each_page_used_is_read_once(overlaid):
    touched, x = set(), SEED
    for number in overlaid["sequence"]:
        for _ in range(100):
            x = (x * 1103515245 + 12345) % (1 << 31)
            touched.add((number, (x >> 4) % (65536 // USED // 8) * 8 // P.PAGE))
    assert overlaid["major"][2] == len(touched) and overlaid["bytes"][2] == len(touched) * P.PAGE
    assert overlaid["major"][1] < len(touched) and overlaid["bytes"][1] >= len(touched) * P.PAGE
