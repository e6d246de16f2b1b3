"""Recordings of threads, replayed: the rules of order, memory calls on the emulated Linux, and what a result says of the program."""

import json
import os

import pytest

import hwmem
import tools
from hwmem import params as P
from hwmem.cli.cli import main
from hwmem.config.machine import MachineConfig
from hwmem.runs.job import replay
from hwmem.runs.image import Image
from hwmem.runs.recorded import Wishes
from hwmem.trace import open_trace
from hwmem.trace.log import MEMORY, MMAP
from hwmem.trace.order import BRK, ORDERS
from recordings import FACTS, PROGRAMS, STEPS, Writer, binaries, log_of

VALGRIND = tools.missing("valgrind", "cc")
CHILD = 0x4100000  # where the second thread's stack ends
HEAP = Writer.HEAP


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return binaries(tmp_path_factory.mktemp("binaries"))


def replayed(path, order="clock", config=None, **wishes):
    return replay(open_trace(path), config, top=0, wishes=Wishes(order, **wishes))


def two_threads(first, second, tmp_path):
    """A recording in which the first thread, once the second one exists, does `first`, then the second `second`, then both once more touch a word of their own."""
    log = Writer()
    log.clone(1, CHILD, 77)
    first(log)
    log.lines.append("--9--   SCHED[1]: releasing lock (VG_(scheduler):timeslice) -> VgTs_Yielding")
    log.start(2)
    second(log)
    return log.save(tmp_path)


@pytest.mark.oracle
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_recorded_program_is_replayed_whole(program, order, folder):
    result = replayed(log_of(program), order, symbols=str(folder))
    facts, told = FACTS[program], result.program
    assert sorted([c.thread, c.name, list(c.arguments), c.result] for c in told.memory_calls) == sorted(facts["memory_calls"])
    assert (told.anonymous_pages["peak"], told.anonymous_pages["end"]) == tuple(facts["own_pages"])
    assert told.forced_steps == 0
    lines = {line.address: line for line in told.lines}
    for line in facts["lines"]:
        found = lines[line["address"]]
        assert {str(t): f"{mask:016x}" for t, mask in found.written.items()} == line["written"]
    cores = result.counters["cores"]
    dropped = sum(c["loads"] + c["atomics"] for c in cores) - sum(t.loads for t in told.threads)
    assert dropped == 0 if order == "recorded" else dropped <= 0  # loads of spins, in between
    assert sum(c["stores"] + c["atomics"] for c in cores) == sum(t.stores for t in told.threads)


def test_counters_side_by_side_move_their_line_and_are_false_sharing(folder):
    recorded, clock = (replayed(log_of("counters"), order, symbols=str(folder)).program for order in ("recorded", "clock"))
    worst = clock.lines[0]
    assert worst.sharing == "false" and len(worst.written) == 3 and worst.hitm > 500  # 3 threads of 200 rounds
    assert {mask.bit_count() for mask in worst.written.values()} == {8}
    assert next(line.hitm for line in recorded.lines if line.address == worst.address) < 10
    assert {code.thread for code in worst.code} >= set(worst.written)  # and the first thread, which reads them at last


def test_pages_of_memory_calls_step_by_step(folder):
    """memory.c says how many pages it touches before each call."""
    told = replayed(log_of("memory"), symbols=str(folder)).program
    calls, pages = told.memory_calls, dict(enumerate(pages for _, pages in told.anonymous_pages["after_calls"]))
    first = next(n for n, c in enumerate(calls) if c.name == "mmap" and c.arguments[1] == 16 * 4096)

    def after(name, n):
        return [k for k, c in enumerate(calls) if c.name == name and k > first][n]

    gone, moved, unmapped = after("madvise", 0), after("mremap", 0), after("munmap", 0)
    brks = [k for k, c in enumerate(calls) if c.name == "brk" and k > first]
    assert calls[gone].thread == 2 and calls[gone].arguments[1:] == (4 * 4096, 4)
    assert pages[unmapped] == pages[moved] + 5 - 2
    assert pages[brks[-1]] == pages[brks[-2]] + 20 - 10


@pytest.mark.oracle
def test_each_call_leaves_the_pages_that_the_programs_text_says(folder, monkeypatch):
    """Of five mappings, taken away from, freed lazily, protected and moved, by two threads; and a page is a fault each time that it is new."""
    found, lazily, carry_out = {name: [] for name in STEPS}, [], Image.carry_out

    def pages(image, about):
        return sum(image.process.pagemap(about["start"] + n * P.PAGE).present for n in range(about["pages"]))

    def looked_at(image, call, *who):
        before = {name: pages(image, about) for name, about in STEPS.items()}
        result = carry_out(image, call, *who)
        at = {call.result - 1} if call.number == BRK else {call.result, call.arguments[0]}
        for name, about in STEPS.items():
            if call.number != MMAP and any(about["start"] <= a < about["start"] + about["pages"] * P.PAGE for a in at):
                found[name].append([MEMORY[call.number][0], before[name], pages(image, about)])
        lazily.append(image.process.smaps_rollup()["LazyFree"] // P.PAGE)
        return result

    monkeypatch.setattr(Image, "carry_out", looked_at)
    result = replay(open_trace(log_of("steps")), top=100_000, wishes=Wishes(symbols=str(folder)))
    for name, about in STEPS.items():
        assert found[name][-len(about["calls"]) :] == about["calls"], name
        beyond = about["start"] + about["pages"] * P.PAGE
        faults = [row["faults"] for row in result.where["page"]["rows"] if about["start"] <= row["at"] < beyond]
        assert sum(faults) >= about["faults"], name  # others had those addresses before and after
    assert lazily[-1] == STEPS["lazy"]["lazily_freed"]


def test_a_load_reads_the_store_that_it_read(tmp_path):
    """The second thread stores where the first loads later, and only then: under `conflict`, and under `clock`, its store comes between."""

    def first(log):
        for n in range(50):
            log.refer("S", 64 * n)
        log.refer("S", 4096)

    def second(log):
        log.refer("L", 4096)
        log.refer("S", 4100, 4)

    for order in ORDERS:
        stores = replayed(two_threads(first, second, tmp_path), order, stores=(HEAP + 4096, HEAP + 4104)).program.stores
        assert stores == [(1, HEAP + 4096), (2, HEAP + 4100)]


def test_independent_threads_are_interleaved_by_their_clocks(tmp_path):
    def busy(offset):
        return lambda log: [log.refer("S", offset) for _ in range(3000)] and None

    path = two_threads(busy(0), busy(8), tmp_path)
    stores = {order: replayed(path, order, stores=(HEAP, HEAP + 16)).program.stores for order in ORDERS}
    assert stores["recorded"] == [(1, HEAP)] * 3000 + [(2, HEAP + 8)] * 3000
    assert stores["clock"] == stores["conflict"]
    turns = sum(a != b for a, b in zip(stores["clock"], stores["clock"][1:]))
    assert turns > 100 and sorted(stores["clock"]) == sorted(stores["recorded"])


def test_a_waiter_goes_on_after_the_wake_and_a_join_after_the_end(tmp_path):
    log = Writer()
    log.call(1, 56, f"sys_clone ( 3d0f00, {CHILD:#x}, 0x1, {HEAP + 64:#x}, {CHILD + 64:#x} )", 77)
    log.add(f"SYSCALL[9,1](202) sys_futex ( {HEAP + 64:#x}, 265, 77, 0x0, 0x0 ) --> [async] ... ")
    log.add("--9--   SCHED[1]: releasing lock (VG_(client_syscall)[async]) -> VgTs_WaitSys")
    log.start(2)
    for n in range(200):
        log.refer("S", 8192 + 64 * n)
    log.end(2)
    log.add("--9--   SCHED[1]:  acquired lock (VG_(client_syscall)[async])", "SYSCALL[9,1](202) ... [async] --> Success(0x0) ")
    log.refer("S", 128)
    stores = replayed(log.save(tmp_path), stores=(HEAP, HEAP + (1 << 20))).program.stores
    assert len(stores) == 201 and stores[-1] == (1, HEAP + 128)


def test_counters_are_free_under_clock_only(tmp_path):
    """Where no file tells what an atomic is, it keeps its order; a plain modify, which gives nothing that could steer the program, does not."""

    def raise_it(log):
        for _ in range(30):
            log.refer("A", 0, 4)

    path = two_threads(raise_it, raise_it, tmp_path)
    stores = replayed(path, stores=(HEAP, HEAP + 4)).program.stores
    assert stores == [(1, HEAP)] * 30 + [(2, HEAP)] * 30

    def plainly(log):
        for _ in range(2000):
            log.refer("M", 0, 4)

    path = two_threads(plainly, plainly, tmp_path)
    stores = replayed(path, "conflict", stores=(HEAP, HEAP + 4)).program.stores
    assert stores == [(1, HEAP)] * 2000 + [(2, HEAP)] * 2000
    stores = replayed(path, stores=(HEAP, HEAP + 4)).program.stores
    assert sum(a != b for a, b in zip(stores, stores[1:])) > 10


def test_spins_are_left_out_but_for_the_first_and_last(tmp_path):
    def first(log):
        log.refer("S", 0, 4)

    def second(log):
        for _ in range(40):
            log.refer("L", 4096, 4, pc=0x109500)

    def third(log):
        log.run(1)
        log.refer("S", 4096, 4)
        log.run(2)
        for _ in range(40):
            log.refer("L", 4096, 4, pc=0x109500)

    path = two_threads(first, lambda log: (second(log), third(log)), tmp_path)
    assert sum(c["loads"] for c in replayed(path, "conflict").counters["cores"]) == 4
    assert sum(c["loads"] for c in replayed(path, "recorded").counters["cores"]) == 80


def test_memory_that_another_thread_maps_is_waited_for(tmp_path):
    """The first thread maps a page late; the second one's reference to it comes after that in the recording, and without any word between them."""

    def first(log):
        for n in range(300):
            log.refer("S", 64 * n)
        log.call(1, 9, "sys_mmap ( 0x0, 4096, 3, 34, 4294967295, 0 )", 0x6000000)

    program = replayed(two_threads(first, lambda log: log.refer("S", 0x6000000), tmp_path)).program
    assert not any("explains" in note for note in program.notes)
    assert program.anonymous_pages["end"] == 300 * 64 // 4096 + 1 + 1


def test_pages_are_not_taken_away_before_others_have_used_them(tmp_path):
    def first(log):
        for n in range(300):
            log.refer("S", 4096 + 64 * n)

    def second(log):
        log.call(2, 11, f"sys_munmap ( {HEAP + 4096:#x}, 20480 )", 0)

    program = replayed(two_threads(first, second, tmp_path)).program
    assert program.anonymous_pages["end"] == 0
    assert not [note for note in program.notes if "pyelftools" not in note]


def test_threads_share_cores_where_the_machine_has_fewer(folder):
    result = replayed(log_of("counters"), config=MachineConfig().replace(cores=2), cores_follow=False)
    assert result.cores == [0, 1, 0, 1] and result.program.forced_steps == 0
    assert result.counters["cores"][0]["context_switches"] > 0


def test_without_an_mmu_all_references_are_made(folder):
    result = replayed(log_of("queue"), config=MachineConfig().replace(mmu=False))
    told = result.program
    assert sum(c["stores"] + c["atomics"] for c in result.counters["cores"]) == sum(t.stores for t in told.threads)
    assert sum(c["atomics"] for c in result.counters["cores"]) == sum(t.atomics for t in told.threads) > 0


@pytest.mark.parametrize("settings", ["mmu=false", "walker.path=memory"])
def test_one_thread_has_the_first_level_misses_of_the_plain_form(settings, tmp_path):
    """The same references with the lines of threads and calls, and without."""
    import lzma

    lines = lzma.decompress(log_of("memory").read_bytes()).split(b"\n")
    start = next(n for n, line in enumerate(lines) if b"sys_clone" in line)
    alone = lines[:start]
    (tmp_path / "threads").write_bytes(b"\n".join([*alone, b"==1== Exit code:       0", b""]).replace(b"==1==", lines[0].split(b" ")[0]))
    (tmp_path / "plain").write_bytes(
        b"\n".join([b"==1== x", *(line for line in alone if line.startswith((b"I  ", b" L ", b" S ", b" M ")))]) + b"\n"
    )
    config = MachineConfig().with_overrides([settings])
    new, old = replayed(tmp_path / "threads", config=config), replay(open_trace(tmp_path / "plain"), config, top=0)
    assert new.parameters["format"] == "threads" and old.parameters["format"] == "lackey"

    def misses(result):
        core = result.counters["cores"][0]
        return core["program"]["l1d.misses"] - core["split_double_misses"]

    assert misses(new) == misses(old) > 1000
    assert new.counters["cores"][0]["stores"] + new.counters["cores"][0]["atomics"] == old.counters["cores"][0]["stores"]


def test_json_has_what_the_program_did(folder, capsys):
    assert main(["trace", str(log_of("counters")), "--symbols", str(folder), "--json", "--top", "0"]) == 0
    told = json.loads(capsys.readouterr().out)["program"]
    assert told["memory_calls"] == FACTS["counters"]["memory_calls"] or sorted(told["memory_calls"]) == sorted(
        FACTS["counters"]["memory_calls"]
    )
    assert set(told["threads"][0]) >= {"loads", "stores", "atomics", "instructions"}
    assert told["process"] == {"children": 0, "exit": 0} and told["forced_steps"] == 0 and told["stores"] is None
    assert told["lines"][0]["sharing"] == "false" and told["lines"][0]["hitm"] > 500


def test_results_keep_the_program(folder, tmp_path):
    result = replayed(log_of("queue"), symbols=str(folder))
    result.save(tmp_path / "r.hwm")
    kept = hwmem.load_result(tmp_path / "r.hwm")
    assert json.loads(json.dumps(kept.program.to_dict())) == json.loads(json.dumps(result.program.to_dict()))


@pytest.mark.parametrize(
    "words, said",
    [
        (["--order", "never"], "invalid choice"),
        (["--stores", "5"], "takes START:END"),
        (["--stores", "9:5"], "takes START:END"),
        (["--symbols", "/no/such"], "/no/such: No such file or directory"),
        (["--core", "1"], "a recording of threads is replayed alone"),
    ],
)
def test_wrong_options_are_one_line(words, said, capsys):
    assert main(["trace", str(log_of("queue")), *words]) == 2
    told = capsys.readouterr().err
    assert said in told.splitlines()[-1] and "Traceback" not in told


def test_options_of_recordings_are_refused_for_plain_traces(tmp_path, capsys):
    (tmp_path / "plain").write_text(" L 04035000,8\n")
    assert main(["trace", str(tmp_path / "plain"), "--order", "clock"]) == 2
    assert "--order takes a recording of threads" in capsys.readouterr().err


def test_the_same_recording_gives_the_same_result(folder):
    one, other = (replayed(log_of("queue"), symbols=str(folder)) for _ in range(2))
    assert one.counters == other.counters and one.program.to_dict() == other.program.to_dict()


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.skipif(bool(VALGRIND), reason=VALGRIND)
def test_first_level_misses_of_a_live_program_of_one_thread_are_cachegrinds(tmp_path, monkeypatch):
    (tmp_path / "text").write_text("".join(f"{n * 37 % 101} fault\n" for n in range(25)))
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(tools.ENVIRONMENT):
        monkeypatch.delenv(name)
    for name, value in tools.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert main(["record", "-o", "t", "--", "sort", "text"]) == 0
    events = tools.cachegrind(["sort", "text"], tmp_path, (64, 8), (64, 8), (1024, 16))
    config = MachineConfig().replace(
        cores=1, mmu=False, ordering="sc", l1d=hwmem.CacheConfig(size=32768, ways=8, latency=4, replacement="lru"), l2=None
    )
    core = replayed("t", config=config).counters["cores"][0]
    misses = core["program"]["l1d.misses"] - core["split_double_misses"] - core["upgrades"]
    wanted = events["D1mr"] + events["D1mw"]
    assert abs(misses - wanted) <= wanted // 50, "the recorder's environment is Valgrind's, give or take a word"
