"""The page cache's table against a dictionary, and read-ahead and fault-around against Linux's recorded answers."""

import random

import numpy as np
import pytest

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.config.machine import MachineConfig
from hwmem.linux.frames import give_frame, take_frame
from hwmem.linux.page_cache import enter_cache, find_page, leave_cache, mark_accessed, mark_clean, mark_dirty
from hwmem.machine.machine import Machine

ENTER, LEAVE, FIND, DIRTY, CLEAN = range(5)


@pytest.fixture(scope="module")
def machine():
    return Machine(MachineConfig().replace(cores=1, memory="64MiB", swap=0, thp="never"))


@kernel
def run_cache_script(m, script, results):
    """Rows (operation, file, index); results[i]: the frame it was about."""
    for i in range(len(script)):
        operation, file, index = script[i, 0], script[i, 1], script[i, 2]
        frame = find_page(m, file, index)
        if operation == ENTER and frame == 0:
            frame = take_frame(m, 0)
            enter_cache(m, frame, file, index)
        elif operation == LEAVE and frame > 0:
            leave_cache(m, frame)
            give_frame(m, 0, frame)
        elif operation == DIRTY and frame > 0:
            mark_dirty(m, frame)
        elif operation == CLEAN and frame > 0:
            mark_clean(m, frame)
        elif operation > CLEAN and frame > 0:
            mark_accessed(m, frame)
        results[i] = frame


def run(machine, rows):
    script = np.array(rows, np.int64)
    results = np.zeros(len(script), np.int64)
    run_cache_script(machine.state, script, results)
    return results.tolist()


def test_the_table_is_a_dictionary_from_file_and_page_to_frame(machine, seed):
    rng = random.Random(seed)
    files = [machine.create_file(f"table {n}", "4MiB") for n in range(6)]
    model, dirty = {}, set()
    places = [0, 15, 16, 17, 500, 1000]
    rows = [(rng.randrange(5), rng.choice(files), (rng.choice(places) + rng.randrange(20)) % 1024) for _ in range(20_000)]
    for (operation, *key), frame in zip(rows, run(machine, rows)):
        key = tuple(key)
        if operation == ENTER and key not in model:
            assert frame > 0 and frame not in model.values()
            model[key] = frame
        assert frame == model.get(key, 0)
        if operation == LEAVE:
            model.pop(key, None)
        if operation == DIRTY and key in model:
            dirty.add(key)
        if operation in (CLEAN, LEAVE):
            dirty.discard(key)
    m = machine.state
    for n in files:
        assert m.file[n].cached == sum(file == n for file, _ in model)
        assert m.file[n].dirty == sum(file == n for file, _ in dirty)
    assert (m.files.cached, m.files.dirty) == (len(model), len(dirty))
    machine.check()
    run(machine, [(LEAVE, *key) for key in model])
    assert (m.files.cached, m.files.dirty) == (0, 0) and np.count_nonzero(m.page_cache) == 0
    machine.check()


def test_entries_whose_searches_meet_survive_each_others_removal(machine):
    """Pages k and k + 2^27 of a file begin their searches apart; a full run of 16 pushes the 17th page of the same home on."""
    n = machine.create_file("crowd", 0)
    machine.state.file[n].length = 1 << 50
    homes = {}
    from hwmem.linux.page_cache import home

    block = 0
    while max(map(len, homes.values()), default=0) < 3:
        homes.setdefault(int(home(n, block << 4)), []).append(block << 4)
        block += 1
    crowd = max(homes.values(), key=len)
    keys = [(n, first + k) for first in crowd for k in range(16)]
    frames = run(machine, [(ENTER, *key) for key in keys])
    for gone in range(len(keys)):
        run(machine, [(LEAVE, *keys[gone])])
        assert run(machine, [(FIND, *key) for key in keys]) == [0] * (gone + 1) + frames[gone + 1 :]
    machine.state.file[n].length = 0


def test_a_page_used_twice_is_active(machine):
    n = machine.create_file("used", "1MiB")
    (frame,) = run(machine, [(ENTER, n, 3)])
    f = machine.state.frame[frame]
    lists = []
    for _ in range(3):
        lists.append((int(f.lru), bool(f.state & P.FRAME_REFERENCED)))
        run(machine, [(CLEAN + 1, n, 3)])
    assert lists == [(P.LRU_INACTIVE_FILE, False), (P.LRU_INACTIVE_FILE, True), (P.LRU_ACTIVE_FILE, False)]
    run(machine, [(LEAVE, n, 3)])
