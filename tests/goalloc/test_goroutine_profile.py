"""The goroutine profile has the frames of the real one, for each way to wait, and `go tool pprof` reads it."""

import pytest
from pprof import PPROF, traces

from goalloc import params as P
from goalloc.layout import g_
from goalloc.observe.pprof import count_profile, count_text
from goalloc.sched.proc import NEWG, NEWPROC

REAL = {  # what the real Go's profile shows of a goroutine that waits (live/waiting, test_live.py): the frames above the function that waits
    P.waitReasonChanSend: ("send", "runtime.gopark runtime.chansend runtime.chansend1"),
    P.waitReasonChanSendNilChan: ("sendNil", "runtime.gopark runtime.chansend runtime.chansend1"),
    P.waitReasonChanReceive: ("receive", "runtime.gopark runtime.chanrecv runtime.chanrecv1"),
    P.waitReasonChanReceiveNilChan: ("receiveNil", "runtime.gopark runtime.chanrecv runtime.chanrecv1"),
    P.waitReasonSelect: ("choose", "runtime.gopark runtime.selectgo"),
    P.waitReasonSelectNoCases: ("chooseNone", "runtime.gopark runtime.block"),
    P.waitReasonSleep: ("nap", "runtime.gopark time.Sleep"),
    P.waitReasonSemacquire: (
        "wait",
        "runtime.gopark runtime.goparkunlock runtime.semacquire1 sync.runtime_Semacquire sync.(*WaitGroup).Wait",
    ),
    P.waitReasonSyncMutexLock: (
        "lock",
        "runtime.gopark runtime.goparkunlock runtime.semacquire1 sync.runtime_SemacquireMutex sync.(*Mutex).lockSlow sync.(*Mutex).Lock",
    ),
}
WAITING = {(*frames.split(), f"main.{name}"): 1 + (name == "send") for name, frames in REAL.values()}
TEXT = """\
goroutine profile: total 4
3 @ 0x1 0x2 0x3
#\t0x3\tmain.send

1 @ 0x4 0x5
#\t0x4\tmain.main
#\t0x5\truntime.main

"""


@pytest.fixture
def waiting(runtime):
    """A runtime with a goroutine that waits in each way, two that send."""
    rt = runtime(gomaxprocs=1)
    for reason, (name, _) in REAL.items():
        place = 100 + reason
        rt.places[place] = f"main.{name}"
        for _ in range(1 + (name == "send")):
            gp = rt.call(0, P.DOOR_PROC, NEWG, place, 0)
            rt.process.store(gp + g_.waitreason, reason, size=1)
    return rt


def test_each_way_to_wait_has_the_frames_of_the_real_profile(waiting):
    found = {r["frames"]: r["count"] for r in waiting.goroutine_profile()}
    assert found.pop(("main.main", "runtime.main")) == 1
    assert found == WAITING


def test_what_can_run_has_its_place_alone_and_the_runtime_s_own_do_not_count(runtime):
    rt = runtime(gomaxprocs=1)
    rt.gc()  # makes the sweeper and a worker
    rt.call(0, P.DOOR_PROC, NEWPROC, 7, 0)
    found = [(r["count"], r["state"], r["frames"]) for r in rt.goroutine_profile()]
    assert found == [(1, "runnable", ("place 7",)), (1, "running", ("main.main", "runtime.main"))]


def test_its_text_is_that_of_debug_1():
    records = [
        {"count": 3, "frames": ("runtime.gopark", "runtime.chansend", "main.send")},
        {"count": 1, "frames": ("main.main", "runtime.main")},
    ]
    assert count_text("goroutine", records) == TEXT
    assert count_text("threadcreate", [{"count": 9, "frames": ()}]) == "threadcreate profile: total 9\n9 @\n#\t0x0\n\n"  # as the real one


@pytest.mark.live
@pytest.mark.skipif(PPROF is None, reason="needs Go: pip install '.[go]'")
def test_pprof_reads_it(waiting, tmp_path):
    path = tmp_path / "goroutine.pb.gz"
    path.write_bytes(count_profile("goroutine", waiting.goroutine_profile()))
    assert traces(path) == WAITING | {("main.main", "runtime.main"): 1}
