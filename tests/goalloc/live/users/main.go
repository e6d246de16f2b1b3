// What users of the collector try, and what the real runtime says: `users NAME` prints the scenario's numbers, GOMAXPROCS=1. Between a
// scenario's first and last number it allocates nothing but what it tells. users.py has the same scenarios for goalloc.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"
)

type node struct {
	next, other *node
	tag         int64
}

type pair struct{ a, b int64 }

var (
	root, saved      *node
	many             [1 << 12]*node
	bytes, more      []byte
	tiny             [64]*byte
	numbers          map[int]int
	hidden           uintptr
	ran              [256]int64
	nRan             int
	notes            [256]int64
	nNotes           int
	before, now      runtime.MemStats
	parked           = make(chan bool)
	pinner           runtime.Pinner
	ringFinalizer    = func(p *node) { ran[nRan] = p.tag; nRan++ }
	saveFinalizer    = func(p *node) { ran[nRan] = p.tag; nRan++; saved = p }
	byteFinalizer    = func(p *byte) { nRan++ }
	againFinalizer   func(*node)
)

func note(xs ...int64) {
	for _, x := range xs {
		notes[nNotes] = x
		nNotes++
	}
}

func settle() {
	for i := 0; i < 8; i++ {
		runtime.Gosched()
	}
}

func gc() {
	runtime.GC()
	settle()
}

// read notes what has changed since start: Mallocs, Frees, HeapObjects, HeapAlloc.
func read() {
	runtime.ReadMemStats(&now)
	note(int64(now.Mallocs-before.Mallocs), int64(now.Frees-before.Frees), int64(now.HeapObjects-before.HeapObjects), int64(now.HeapAlloc-before.HeapAlloc))
}

func start() {
	for i := 0; i < 4; i++ {
		gc()
		runtime.ReadMemStats(&before)
	}
	nRan, nNotes = 0, 0
}

//go:noinline
func fresh(tag int64) *node { return &node{tag: tag} }

//go:noinline
func garbage(n, size int) {
	for i := 0; i < n; i++ {
		more = make([]byte, size)
	}
	more = nil
}

//go:noinline
func finalized(tag int64, f func(*node)) *node {
	p := fresh(tag)
	runtime.SetFinalizer(p, f)
	return p
}

//go:noinline
func wait(p *node) {
	<-parked
	runtime.KeepAlive(p)
}

//go:noinline
func ring(f func(*node), n int) {
	a, b := fresh(1), fresh(2)
	a.next, b.next = b, a
	if n > 0 {
		runtime.SetFinalizer(a, f)
	}
	if n > 1 {
		runtime.SetFinalizer(b, f)
	}
}

//go:noinline
func chain() {
	a, b, c := finalized(1, ringFinalizer), finalized(2, ringFinalizer), finalized(3, ringFinalizer)
	a.next, b.next = b, c
}

//go:noinline
func itself() {
	p := finalized(1, ringFinalizer)
	p.next = p
}

//go:noinline
func pin(n int) {
	for i := 0; i < n; i++ {
		pinner.Pin(fresh(int64(i)))
	}
}

//go:noinline
func tinies(n int) {
	for i := 0; i < n; i++ {
		p := new(byte)
		runtime.SetFinalizer(p, byteFinalizer)
		if i == 5 {
			tiny[0] = p
		}
	}
}

var scenarios = map[string]func(){
	"resurrection": func() {
		finalized(7, saveFinalizer)
		gc()
		note(int64(nRan))
		read()
		saved = nil
		gc()
		note(int64(nRan))
		read()
	},
	"freed-after-finalizer": func() {
		finalized(7, ringFinalizer)
		gc()
		note(int64(nRan))
		read()
		gc()
		read()
	},
	"finalizer-again": func() {
		finalized(7, againFinalizer)
		for i := 0; i < 3; i++ {
			gc()
			note(int64(nRan))
		}
		read()
	},
	"ring-of-two-finalizers": func() { ring(ringFinalizer, 2); gc(); gc(); note(int64(nRan)); read() },
	"ring-with-one-finalizer": func() { ring(ringFinalizer, 1); gc(); gc(); note(int64(nRan)); read() },
	"ring-without-finalizers": func() { ring(nil, 0); gc(); read() },
	"pointer-to-itself": func() { itself(); gc(); gc(); note(int64(nRan)); read() },
	"chain-of-finalizers": func() {
		chain()
		for i := 0; i < 4; i++ {
			gc()
			note(int64(nRan))
			read()
		}
		note(ran[0], ran[1], ran[2])
	},
	"tiny-finalizers": func() {
		tinies(40)
		gc()
		note(int64(nRan)) // all but those of the block that lives, and of the block that is cut
		tiny[0] = nil
		garbage(4, 9)
		gc()
		gc()
		note(int64(nRan))
	},
	"finalizer-taken-away": func() {
		p := finalized(7, ringFinalizer)
		runtime.SetFinalizer(p, nil)
		p = nil
		gc()
		note(int64(nRan))
		read()
	},
	"keep-alive": func() {
		p := finalized(7, ringFinalizer)
		gc()
		note(int64(nRan))
		runtime.KeepAlive(p)
		p = nil
		gc()
		note(int64(nRan))
	},
	"gc-percent-values": func() {
		for _, percent := range [...]int{-1, 50, 0, 200, -7, 100} {
			note(int64(debug.SetGCPercent(percent)))
		}
		runtime.ReadMemStats(&now)
		note(int64(now.NumGC - before.NumGC))
		debug.SetGCPercent(-1)
	},
	"gc-percent-moves-the-goal": func() {
		bytes = make([]byte, 32<<20)
		gc()
		for _, percent := range [...]int{100, 50, 200, 25} {
			debug.SetGCPercent(percent)
			runtime.ReadMemStats(&now)
			note(int64(now.NextGC>>20), int64(now.NumGC-before.NumGC))
		}
		debug.SetGCPercent(-1)
		bytes = nil
	},
	"goal-at-zero-percent": func() {
		bytes = make([]byte, 8<<20)
		debug.SetGCPercent(0)
		gc()
		runtime.ReadMemStats(&now)
		note(int64(now.NextGC >> 20))
		debug.SetGCPercent(-1)
		bytes = nil
	},
	"memory-limit-values": func() {
		for _, limit := range [...]int64{-1, 64 << 20, -1, 1 << 30, 1<<63 - 1, -5} {
			note(debug.SetMemoryLimit(limit))
		}
		runtime.ReadMemStats(&now)
		note(int64(now.NumGC - before.NumGC))
	},
	"off-with-a-limit": func() {
		debug.SetMemoryLimit(48 << 20)
		garbage(4096, 64<<10)
		runtime.ReadMemStats(&now)
		within := int64(0)
		if now.Sys-now.HeapReleased <= 48<<20 {
			within = 1
		}
		note(within)
		if now.NumGC > before.NumGC {
			note(1)
		}
		debug.SetMemoryLimit(1<<63 - 1)
	},
	"off-without-a-limit": func() {
		garbage(1024, 64<<10)
		runtime.ReadMemStats(&now)
		note(int64(now.NumGC-before.NumGC), int64(now.HeapAlloc-before.HeapAlloc)>>20)
		gc()
		runtime.ReadMemStats(&now)
		note(int64(now.NumGC-before.NumGC), int64(now.NumForcedGC-before.NumForcedGC), int64(now.HeapAlloc-before.HeapAlloc)>>20)
	},
	"free-os-memory": func() {
		bytes = make([]byte, 64<<20)
		for i := 0; i < len(bytes); i += 4096 {
			bytes[i] = 1
		}
		bytes = nil
		debug.FreeOSMemory()
		settle()
		runtime.ReadMemStats(&now)
		note(int64(now.HeapIdle-now.HeapReleased), int64(now.HeapIdle>>20), int64(now.NumForcedGC-before.NumForcedGC))
	},
	"gc-alone-returns-nothing": func() {
		bytes = make([]byte, 64<<20)
		for i := 0; i < len(bytes); i += 4096 {
			bytes[i] = 1
		}
		runtime.ReadMemStats(&now)
		held := now.HeapReleased
		bytes = nil
		runtime.GC()
		runtime.ReadMemStats(&now)
		note(int64(now.HeapIdle-now.HeapReleased) >> 20)
		if int64(held-now.HeapReleased) < 1<<20 { // what the collector itself needs
			note(1)
		}
	},
	"counts-of-allocations": func() {
		for i := range many {
			many[i] = fresh(1)
		}
		read()
		for i := 0; i < len(many); i += 2 {
			many[i] = nil
		}
		gc()
		read()
		note(int64(now.BySize[3].Mallocs-before.BySize[3].Mallocs), int64(now.BySize[3].Frees-before.BySize[3].Frees))
		for i := range many {
			many[i] = nil
		}
		gc()
		read()
	},
	"part-of-a-large-object": func() {
		big := make([]byte, 1<<20)
		bytes = big[len(big)-1:]
		big = nil
		gc()
		read()
		bytes = nil
		gc()
		read()
	},
	"map-that-was-emptied": func() {
		numbers = make(map[int]int)
		for i := 0; i < 10000; i++ {
			numbers[i] = i
		}
		gc()
		runtime.ReadMemStats(&now)
		full := int64(now.HeapAlloc - before.HeapAlloc)
		for i := 0; i < 10000; i++ {
			delete(numbers, i)
		}
		gc()
		runtime.ReadMemStats(&now)
		note(int64(now.HeapAlloc-before.HeapAlloc)*100/full, full>>16)
		numbers = nil
		gc()
		runtime.ReadMemStats(&now)
		note(int64(now.HeapAlloc-before.HeapAlloc) * 100 / full)
	},
	"address-in-an-integer": func() {
		hidden = uintptr(unsafe.Pointer(fresh(1)))
		gc()
		read()
		hidden = 0
	},
	"goroutine-that-waits": func() {
		read()
		go wait(finalized(7, ringFinalizer))
		settle()
		gc()
		note(int64(nRan))
		parked <- true
		settle()
		gc()
		note(int64(nRan))
	},
	"pinner": func() {
		for _, n := range []int{100, 5} {
			pin(n)
			read()
			gc()
			read()
			pinner.Unpin()
			gc()
			read()
		}
	},
	"pinner-forgotten": func() {
		pin(1)
		pinner = runtime.Pinner{}
		gc()
		gc()
	},
	"ballast": func() {
		bytes = make([]byte, 64<<20)
		debug.SetGCPercent(100)
		gc()
		runtime.ReadMemStats(&now)
		n := now.NumGC
		note(int64(now.NextGC >> 20))
		garbage(500, 64<<10)
		runtime.ReadMemStats(&now)
		note(int64(now.NumGC - n))
		debug.SetGCPercent(-1)
		bytes = nil
	},
	"ring-of-pauses": func() {
		for i := 0; i < 260; i++ {
			runtime.GC()
		}
		runtime.ReadMemStats(&now)
		set, sum := int64(0), uint64(0)
		for i, ns := range now.PauseNs {
			if ns > 0 && now.PauseEnd[i] > 0 {
				set++
			}
			sum += ns
		}
		note(int64(now.NumGC-before.NumGC), set)
		if last := now.PauseEnd[(now.NumGC+255)%256]; last == now.LastGC && sum < now.PauseTotalNs {
			note(1)
		}
	},
	"forced-and-counted": func() {
		runtime.GC()
		debug.FreeOSMemory()
		runtime.ReadMemStats(&now)
		note(int64(now.NumGC-before.NumGC), int64(now.NumForcedGC-before.NumForcedGC))
	},
	"finalizer-already-set": func() { runtime.SetFinalizer(finalized(1, ringFinalizer), ringFinalizer) },
	"finalizer-inside-an-object": func() {
		p := new([4]pair)
		runtime.SetFinalizer(&p[1], func(*pair) {})
	},
	"finalizer-not-allocated": func() {
		runtime.SetFinalizer((*pair)(unsafe.Pointer(uintptr(0x7000))), func(*pair) {})
	},
}

func main() {
	debug.SetGCPercent(-1)
	f := scenarios[os.Args[1]]
	againFinalizer = func(p *node) { nRan++; runtime.SetFinalizer(p, againFinalizer) }
	finalized(0, ringFinalizer)
	start()
	f()
	for i := 0; i < nNotes; i++ {
		fmt.Print(notes[i], " ")
	}
}
