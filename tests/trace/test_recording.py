"""Recordings of threads, read: whose each reference is, what was called, what was loaded where; and what is refused."""

import lzma
import tracemalloc
from codecs import BOM_UTF8

import numpy as np
import pytest

from hwmem.errors import TraceError
from hwmem.trace import open_trace
from hwmem.trace.order import Order
from hwmem.trace.uses import USE
from hwmem.trace.elf import COMMUTES, COMPARE_EXCHANGE, EXCHANGE, EXCHANGE_ADD, PLAIN, Elf, what_it_does
from hwmem.trace.recording import Recording
from recordings import FACTS, PROGRAMS, Writer, binaries, log_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return binaries(tmp_path_factory.mktemp("binaries"))


@pytest.fixture(scope="module", params=PROGRAMS)
def program(request):
    return request.param


@pytest.fixture(scope="module")
def read(program, folder):
    return Recording(log_of(program), folder)


def test_threads_have_their_references_by_kind(program, read):
    facts = FACTS[program]["threads"]
    assert [(t.loads, t.stores, t.instructions) for t in read.program.threads] == [
        (f["L"] + f["M"] - f["rmw_pairs"], f["S"] + f["M"], f["I"]) for f in facts
    ]
    assert all(f["rmw_pairs"] <= t.atomics <= f["rmw_pairs"] + f["M"] for t, f in zip(read.program.threads, facts))


def test_memory_calls_have_their_arguments_and_results(program, read):
    assert [[c.thread, c.name, list(c.arguments), c.result] for c in read.program.memory_calls] == FACTS[program]["memory_calls"]


def test_objects_have_their_load_addresses(program, read):
    assert [[o.path, o.load_address] for o in read.program.objects] == [o for o in FACTS[program]["objects"] if "lackey" not in o[0]]


def test_a_thread_is_known_by_its_stack(program, read):
    main, *others = read.program.threads
    assert main.parent == 0 and main.stack[1] == 0x1FFF001000
    for thread in others:
        start, end = thread.stack
        first = next(read.spill.stretches(thread.number, 1))[1][0] >> 15
        assert thread.parent == 1 and thread.created_at and start < first <= end and start < thread.tls < end


def test_blocks_are_all_references_in_the_recorded_order(program, read):
    trace = open_trace(log_of(program))
    assert trace.format == "threads"
    facts, seen = FACTS[program]["threads"], np.zeros((len(FACTS[program]["threads"]), 2), int)
    for block in trace.blocks(1000):
        assert len(block.addresses) <= 1000
        np.add.at(seen, (block.thread, block.is_store.astype(int)), 1)
    assert seen.tolist() == [[f["L"] + f["M"] - f["rmw_pairs"], f["S"] + f["M"]] for f in facts]
    assert sum(trace.counts[:2]) == seen.sum() and trace.counts.modifies == sum(f["M"] for f in facts)
    assert trace.instructions == sum(f["I"] for f in facts)


def test_a_compare_exchange_is_one_atomic_by_its_bytes(folder):
    """queue's mutex is taken by `lock cmpxchg`, which Valgrind prints as a plain modify."""
    elf = Elf.read(folder / "queue")
    assert elf and elf.text and [s.address for s in elf.segments] == sorted(s.address for s in elf.segments)
    assert Elf.read(folder / "queue", elf.text) and Elf.read(folder / "queue", elf.text + 16) is None
    assert Elf.read(folder / "none") is None and Elf.read(folder) is None


@pytest.mark.parametrize(
    "code, length, kind",
    [
        ("f00fb117", 4, COMPARE_EXCHANGE),  # lock cmpxchg %edx,(%rdi)
        ("f0480fb13d11223344", 9, COMPARE_EXCHANGE),  # lock cmpxchg %rdi,0x44332211(%rip)
        ("f0480fc70c24", 6, COMPARE_EXCHANGE),  # lock cmpxchg16b (%rsp)
        ("f00fb117", 3, PLAIN),  # another program's bytes
        ("0fb117", 3, PLAIN),  # cmpxchg without lock
        ("8702", 2, EXCHANGE),  # xchg %eax,(%rdx)
        ("87442408", 4, EXCHANGE),  # xchg %eax,0x8(%rsp)
        ("f00fc102", 4, EXCHANGE_ADD),  # lock xadd %eax,(%rdx)
        ("f048ff00", 4, COMMUTES),  # lock incq (%rax)
        ("ff00", 2, PLAIN),  # incl (%rax)
        ("f0", 1, PLAIN),
        ("", 0, PLAIN),
    ],
)
def test_what_an_instruction_does(code, length, kind):
    assert what_it_does(bytes.fromhex(code), length) == kind


def made(tmp_path, change=lambda log: None):
    log = Writer()
    log.refer("L", 0)
    change(log)
    return Recording(log.save(tmp_path))


def counts(recording):
    return [(t.loads, t.stores, t.atomics) for t in recording.program.threads]


def test_a_load_and_a_modify_of_one_instruction_are_one_atomic(tmp_path):
    def change(log):
        log.refer("A", 8)
        log.refer("M", 16)
        log.add(" L 04035020,8", "I  00109100,3", " M 04035020,8")  # of two instructions
        log.add(" L 04035030,8", " M 04035030,4")  # of other bytes

    assert counts(made(tmp_path, change)) == [(7, 4, 1)]


def test_a_recording_may_begin_and_end_its_lines_as_on_windows(tmp_path):
    def change(log):
        log.refer("A", 8)
        log.clone(1, 0x5000000, 70)
        log.start(2)
        log.refer("S", 0x5000000)
        log.end(2)

    plain = made(tmp_path, change)
    text = (tmp_path / "made.trace").read_bytes()
    (tmp_path / "windows.trace").write_bytes(BOM_UTF8 + text.replace(b"\n", b"\r\n"))
    read = Recording(tmp_path / "windows.trace")
    assert counts(read) == counts(plain) == [(2, 1, 1), (0, 1, 0)]  # an atomic loads and stores
    assert (read.program.process, [t.clone and t.clone.result for t in read.threads]) == (plain.program.process, [None, 70])


def test_slots_are_used_again(tmp_path):
    def change(log):
        for n in range(3):
            log.clone(1, 0x5000000 + n * 0x10000, 70 + n)
            log.start(2)
            log.refer("S", 0x5000000 + n * 0x10000)
            log.end(2)
            log.run(1)

    read = made(tmp_path, change)
    assert counts(read) == [(1, 0, 0), (0, 1, 0), (0, 1, 0), (0, 1, 0)]
    assert [t.clone and t.clone.result for t in read.threads] == [None, 70, 71, 72]


def test_a_call_is_whole_when_its_result_comes(tmp_path):
    def change(log):
        log.add(
            "SYSCALL[9,1](9) sys_mmap ( 0x0, 8192, 3, 34, 4294967295, 0 )--9-- Reading syms from /lib/x.so",
            "--9--    svma 0x0000001050, avma 0x0004838050",
            " --> [pre-success] Success(0x483a000) ",
            "SYSCALL[9,1](28) sys_madvise ( 0x483a000, 4096, 4 ) --> [async] ... ",
            "--9--   SCHED[1]: releasing lock (VG_(client_syscall)[async]) -> VgTs_WaitSys",
            "--9--   SCHED[1]:  acquired lock (VG_(client_syscall)[async])",
            "SYSCALL[9,1](28) ... [async] --> Failure(0x16) ",
            "SYSCALL[9,1](435) unimplemented (by the kernel) syscall: 435! (ni_syscall)",
            " --> [pre-fail] Failure(0x26) ",
            "",
        )

    read = made(tmp_path, change)
    assert [tuple(c)[1:] for c in read.program.memory_calls[2:]] == [
        ("mmap", (0, 8192, 3, 34, 0xFFFFFFFF, 0), 0x483A000),
        ("madvise", (0x483A000, 4096, 4), -22),
    ]
    assert [(o.path, o.load_address) for o in read.program.objects] == [("/lib/x.so", 0x4837000)]


def test_heap_notes_become_blocks(tmp_path):
    def change(log):
        log.add("**9** heap + 0x4035100 64 0x109ABC", "**9** heap = 0x4035100 0x4035200 128 0x109AC0", "**9** heap + 0x4035400 8 0x109AC8")
        log.refer("L", 8)
        log.add("**9** heap - 0x4035200", "**9** said by the program")

    assert [(b.address, b.size, b.stack, b.freed is None) for b in made(tmp_path, change).program.blocks] == [
        (0x4035100, 64, (0x109ABC,), False),
        (0x4035200, 128, (0x109AC0,), False),
        (0x4035400, 8, (0x109AC8,), True),
    ]


def test_memory_is_bounded_however_long_two_threads_contend(tmp_path):
    """All that is as long as the recording lies in files: one of three times the length takes no more."""
    peaks = []
    for rounds in (10_000, 200_000, 600_000):  # the first compiles
        log = Writer()
        log.clone(1, 0x4100000, 77)
        log.start(2)
        head, after = log.text().partition(b"==9== Exit")[::2]
        path = tmp_path / f"{rounds}.trace"
        path.write_bytes(
            head + b"I  00109000,4\n S 04035000,8\nI  00109004,4\n L 04035000,8\n" * rounds + other_thread(rounds) + b"==9== Exit" + after
        )
        read = Recording(path)
        tracemalloc.start()
        order = Order(read, "conflict")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert sum(len(chunk) for chunk in order.uses.chunks) > 3 * rounds
    assert peaks[2] < peaks[1] + (8 << 20) < peaks[1] + 3 * 400_000 * USE.itemsize


def other_thread(rounds):
    """The first one, once it runs again, does the same."""
    again = b"--9--   SCHED[2]: releasing lock (VG_(scheduler):timeslice) -> VgTs_Yielding\n--9--   SCHED[1]:  acquired lock (VG_(scheduler):timeslice)\n"
    return again + b"I  00109008,4\n S 04035000,8\n" * (2 * rounds)


def test_how_it_ended_is_told(tmp_path):
    assert made(tmp_path, lambda log: log.add("SYSCALL[9,1](231) exit_group( 7 )")).program.process["exit"] == 7
    killed = made(tmp_path, lambda log: log.add("==9== Process terminating with default action of signal 11 (SIGSEGV)"))
    assert killed.program.process["exit"] == -11
    cut = tmp_path / "cut"
    cut.write_bytes(Writer().text().replace(b"==9== Exit code:       0\n", b"") + b" L 04035000,8\n")
    assert any("no end" in note for note in Recording(cut).program.notes)


@pytest.mark.parametrize(
    "line, reason",
    [
        ("segmentation fault", "not a line of a recording of threads"),
        ("SYSCALL[10,1](3) sys_close ( 4 )[sync] --> Success(0x0)", "a system call of process 10 in the log of 9"),
        ("==10== Exit code: 0", "a line of process 10 in the log of 9"),
        ("SYSCALL[9,7](3) sys_close ( 4 )[sync] --> Success(0x0)", "no thread has started in slot 7"),
        ("SYSCALL[9,1](9) sys_mmap ( 0x0 )[sync] --> Success(0x0)", "a call of mmap without its 6 numbers"),
        ("SYSCALL[9,1](3) ... [async] --> Success(0x0)", "the result of a system call that never began"),
        (" --> [pre-success] Success(0x0)", "the result of a system call that never began"),
        ("--9--   SCHED[1]: dances", "an unknown line of Valgrind's scheduler"),
        ("--9--   SCHED[1]:  acquired lock (thread_wrapper(starting new thread))", "a thread starts in slot 1, whose thread has not ended"),
        (" L 0403500,", "the size is not a number from 1 to 4096"),
        (" L 04035000,8x", "something follows the reference"),
        (" L ffffffffffff,8", "the reference does not end below 2^47, where programs end"),
        ("I  0010", "no size follows the address"),
    ],
)
def test_what_is_not_understood_is_refused_by_line_and_reason(tmp_path, line, reason):
    log = Writer()
    log.refer("L", 0)
    number = len(log.lines) + 1
    log.add(line)
    path = log.save(tmp_path)
    with pytest.raises(TraceError) as refused:
        Recording(path)
    assert str(refused.value).startswith(f"{path}:{number}: {reason}") and "\n" not in str(refused.value)


def test_references_of_no_thread_are_refused(tmp_path):
    log = Writer()
    log.add("--9--   SCHED[1]: releasing lock (VG_(vg_yield)) -> VgTs_Yielding")
    log.refer("L", 0)
    with pytest.raises(TraceError, match="references of no thread"):
        Recording(log.save(tmp_path))


def test_a_forked_childs_log_begins_in_mid_thread(tmp_path):
    path = tmp_path / "child"
    path.write_bytes(
        b"==9== Command: ./made\n --> [pre-success] Success(0x0) \nI  00109000,4\n L 04035000,8\nSYSCALL[9,2](3) sys_close ( 4 )[sync] --> Success(0x0) \n"
        b"I  00109004,4\n S 04035000,8\n==9== Exit code:       0\n"
    )
    assert open_trace(path).format == "threads"
    assert counts(Recording(path)) == [(1, 1, 0)]


def test_a_log_that_is_damaged_anywhere_is_read_or_refused_in_one_line(tmp_path, seed):
    text = lzma.decompress(log_of("queue").read_bytes()).split(b"\n")
    whole = b"\n".join([line for n, line in enumerate(text) if n < 400 or not line.startswith((b"I ", b" ")) or n % 97 == 0]) + b"\n"
    r, path = np.random.default_rng(seed), tmp_path / "damaged"
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        for at in r.integers(0, len(data), 1 + int(r.integers(6))).tolist():
            data[at : at + int(r.integers(3))] = bytes(r.integers(0, 256, int(r.integers(3)), dtype=np.uint8))
        path.write_bytes(data[: int(r.integers(1, len(data)))] if r.random() < 0.3 else data)
        try:
            Recording(path)
        except TraceError as error:
            refused += 1
            assert str(error).startswith(f"{path}:") and "\n" not in str(error)
    assert refused > 10
