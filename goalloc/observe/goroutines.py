"""The goroutine profile: how many goroutines wait where, as runtime/pprof's Lookup("goroutine") counts them.

    goroutine ── g.waitreason ──> "chan send" and the frames of the runtime that it waits in     WAITS, as the real profile shows them
              └─ g.sched.pc ────> the place of its program, by the name that rt.places has for it

The runtime's own goroutines, whose places are below 0, do not count, nor do dead ones. The one that asks is main. Go: mprof.go goroutineProfileWithLabels,
traceback.go isSystemGoroutine, runtime2.go waitReasonStrings.
"""

from collections import Counter

from goalloc import params as P
from goalloc.layout import g_, gobuf, slice_, variables as V
from goalloc.observe.inspect import Inspector

MAIN = ("running", ("main.main", "runtime.main"))
SEND, RECEIVE = (tuple(f"runtime.{name}" for name in ("gopark", which, which + "1")) for which in ("chansend", "chanrecv"))
SEMA = ("runtime.gopark", "runtime.goparkunlock", "runtime.semacquire1")
WAITS = {  # g.waitreason: (what a traceback says, the frames, innermost first)
    P.waitReasonChanReceiveNilChan: ("chan receive (nil chan)", RECEIVE),
    P.waitReasonChanSendNilChan: ("chan send (nil chan)", SEND),
    P.waitReasonChanReceive: ("chan receive", RECEIVE),
    P.waitReasonChanSend: ("chan send", SEND),
    P.waitReasonSelect: ("select", ("runtime.gopark", "runtime.selectgo")),
    P.waitReasonSelectNoCases: ("select (no cases)", ("runtime.gopark", "runtime.block")),
    P.waitReasonSleep: ("sleep", ("runtime.gopark", "time.Sleep")),
    P.waitReasonSemacquire: ("semacquire", (*SEMA, "sync.runtime_Semacquire", "sync.(*WaitGroup).Wait")),
    P.waitReasonSyncMutexLock: ("sync.Mutex.Lock", (*SEMA, "sync.runtime_SemacquireMutex", "sync.(*Mutex).lockSlow", "sync.(*Mutex).Lock")),
}
STATES = {P.Grunnable: "runnable", P.Grunning: "running", P.Gsyscall: "syscall", P.Gwaiting: "waiting"}


def goroutine_profile(rt):
    """A dict for each place where goroutines are, most first: "count"; "state", as a traceback says it; "frames", the innermost first."""
    look = Inspector(rt.process)
    found = Counter([MAIN])
    for gp in look.words(look.word(V.allgs), look.word(V.allgs + slice_.len)):
        status = look.word(gp + g_.atomicstatus, 4) if gp else P.Gdead
        place = look.word(gp + g_.sched + gobuf.pc)
        if status not in STATES or place >> 63 or gp == rt.main:
            continue
        reason = look.word(gp + g_.waitreason, 1) if status == P.Gwaiting else None
        state, frames = WAITS.get(reason, (STATES[status], ()))
        found[state, (*frames, rt.places.get(place, f"place {place}"))] += 1
    return [
        {"count": n, "state": state, "frames": frames} for (state, frames), n in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ]
