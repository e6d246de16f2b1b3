"""What finalizers do, and what ends a program, as live/users/objects.go has it: scenarios for users.py."""

import goalloc

MIB = 1 << 20
LARGE = goalloc.struct("large", next=goalloc.pointer, pad=goalloc.array(goalloc.uint8, MIB))
SOURCES = {  # of golang/go, unless it says so
    "finalizer-that-collects": "a finalizer that calls runtime.GC()",
    "finalizer-that-allocates": "a finalizer that makes objects",
    "finalizer-of-a-global": "30476, 9656: linker-allocated objects: silently none",
    "finalizer-of-what-has-no-size": "runtime.SetFinalizer's text: objects of no size",
    "finalizer-of-a-large-object": "large objects with finalizers",
    "finalizer-taken-away-and-set-again": "os.File's Close and Dup",
    "finalizer-keeps-what-it-leads-to": "runtime.SetFinalizer's text: what is reached from it lives as long",
    "a-hundred-finalizers": "15277: their order",
    "finalizer-set-without-need": "SetFinalizer(p, nil) without one",
    "kept-through-a-loop": "21402: runtime.KeepAlive after a loop",
    "finalizer-of-nil": "a nil pointer",
    "slice-of-minus-one": "make with a negative length",
    "slice-too-long": "38673: make with too great a length",
    "slice-with-too-little": "make with less room than length",
    "slice-of-minus-one-room": "make with negative room",
    "slice-with-too-much": "4085: make with too much room",
    "goroutine-without-end": "7181, 41228: a stack of 1 GB",
    "pin-of-what-is-not-gos": "46787: a pointer that is not Go's",
}


def that_collects(u):
    def collects(x):
        u.ran.append(x)
        u.rt.gc()

    u.finalized(1, collects)
    u.rt.gc(), u.rt.gc(), u.rt.gc()
    u.note(len(u.ran), *u.now("NumGC", "NumForcedGC"))


def that_allocates(u):
    def allocates(x):
        u.ran.append(x)
        u.rt.write_pointer(u.saved, u.fresh(9))

    u.finalized(1, allocates)
    u.rt.gc()
    u.note(len(u.ran)), u.read()
    u.rt.write_pointer(u.saved, 0)
    u.rt.gc()
    u.read()


def of_a_global(u):
    for _ in range(2):
        u.rt.set_finalizer(u.root, u.note_ran)
    u.rt.gc()
    u.note(len(u.ran))


def of_no_size(u):
    u.rt.set_finalizer(u.rt.mallocgc(0), u.note_ran)
    u.rt.gc()
    u.note(len(u.ran))


def of_a_large_object(u):
    u.rt.set_finalizer(u.rt.new(LARGE), u.ran.append)
    u.rt.gc()
    u.note(len(u.ran)), u.read()
    u.rt.gc()
    u.read()


def taken_away_and_set_again(u):
    x = u.finalized(5, u.note_ran)
    for _ in range(3):
        u.rt.set_finalizer(x, None), u.rt.set_finalizer(x, u.note_ran)
    u.rt.gc()
    u.note(len(u.ran), u.ran[0])
    u.rt.gc()
    u.read()


def keeps_what_it_leads_to(u):
    a, b = u.finalized(1, u.note_ran), u.fresh(2)
    u.rt.write_pointer(a + u.next, b), u.rt.write_pointer(b + u.next, u.fresh(3))
    u.rt.gc()
    u.note(len(u.ran)), u.read()
    u.rt.gc()
    u.read()


def a_hundred(u):
    for i in range(100):
        u.finalized(i, u.note_ran)
    u.rt.gc()
    u.note(len(u.ran), *u.ran)
    u.rt.gc()
    u.read()


def without_need(u):
    x = u.fresh(1)
    u.rt.set_finalizer(x, None), u.rt.set_finalizer(x, None)
    u.rt.gc()
    u.note(len(u.ran)), u.read()


def kept_through_a_loop(u):
    x = u.finalized(7, u.note_ran)
    with u.rt.keep_alive(x):
        for _ in range(5):
            u.rt.gc()
            u.garbage(100, 100)
        u.note(len(u.ran))
    u.rt.gc()
    u.note(len(u.ran))


def without_end(u):
    g = u.rt.go()
    while True:
        g.call(MIB)


SCENARIOS = {
    "finalizer-that-collects": that_collects,
    "finalizer-that-allocates": that_allocates,
    "finalizer-of-a-global": of_a_global,
    "finalizer-of-what-has-no-size": of_no_size,
    "finalizer-of-a-large-object": of_a_large_object,
    "finalizer-taken-away-and-set-again": taken_away_and_set_again,
    "finalizer-keeps-what-it-leads-to": keeps_what_it_leads_to,
    "a-hundred-finalizers": a_hundred,
    "finalizer-set-without-need": without_need,
    "kept-through-a-loop": kept_through_a_loop,
    "finalizer-of-nil": lambda u: u.rt.set_finalizer(0, u.note_ran),
    "slice-of-minus-one": lambda u: u.rt.make_slice(goalloc.int64, -1),
    "slice-too-long": lambda u: u.rt.make_slice(goalloc.int64, 1 << 62),
    "slice-with-too-little": lambda u: u.rt.make_slice(goalloc.int64, 3, 2),
    "slice-of-minus-one-room": lambda u: u.rt.make_slice(goalloc.int64, 0, -1),
    "slice-with-too-much": lambda u: u.rt.make_slice(goalloc.int64, 1, 1 << 62),
    "goroutine-without-end": without_end,
    "pin-of-what-is-not-gos": lambda u: u.rt.pin(0x7000),
}
