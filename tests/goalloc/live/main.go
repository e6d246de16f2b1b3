// One run of the real allocator: reads how much to allocate, notes the heap before, allocates, prints everything as JSON.
//
// Standard input: a line a step, "count size scan"; size 0: start goroutines, which note their g and stack and wait (scan 0), or let
// as many of them end (scan 1); the P's count of choices (schedtick) is noted before; or a step of user arenas (arenas.go) or of
// the language (language.go). What is read of the runtime is read at the offsets that the tests hold
// goalloc's own layout to. Nothing is allocated on the heap between the two looks but what was asked for.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"
)

//go:linkname mheap_ runtime.mheap_
var mheap_ [92792]byte

//go:linkname allp runtime.allp
var allp []unsafe.Pointer

//go:linkname allgs runtime.allgs
var allgs []unsafe.Pointer

//go:linkname allm runtime.allm
var allm unsafe.Pointer

//go:linkname mallocgc runtime.mallocgc
func mallocgc(size uintptr, typ unsafe.Pointer, needzero bool) unsafe.Pointer

const (
	maxSteps = 4096
	maxAddrs = 1 << 20
	maxRows  = 1 << 14
	rounds   = 10
)

type step struct{ count, size, scan uint64 }

var (
	steps         [maxSteps]step
	addrs         [maxAddrs]uint64
	rows          [maxRows][7]uint64
	stacks        [maxRows][2]uint64 // of the spans cut into stacks: the page, the size of one
	pools         int
	before, after runtime.MemStats
	first, last   [11]uint64
	noted         int
	parked        = make(chan bool)
)

func word(p uintptr) uint64      { return *(*uint64)(unsafe.Pointer(p)) }
func at(p uint64, off uintptr) uint64 { return word(uintptr(p) + off) }

func spans() (n int) {
	heap := uintptr(unsafe.Pointer(&mheap_))
	array, count := word(heap+65864), word(heap+65872)
	for i := uint64(0); i < count; i++ {
		s := at(array, uintptr(8*i))
		state := at(s, 104) >> 24 & 0xff
		if state == 0 {
			continue
		}
		rows[n] = [7]uint64{(at(s, 24) - 0xc000000000) / 8192, at(s, 32), state, at(s, 104) >> 16 & 0xff, at(s, 48), at(s, 104) & 0xffff, at(s, 56)}
		if state == 2 && rows[n][5] > 0 {
			stacks[pools] = [2]uint64{rows[n][0], at(s, 112)}
			pools++
		}
		n++
	}
	return
}

// note notes an address that the program was given.
func note(address uint64) {
	addrs[noted] = address
	noted++
}

func wait() {
	g := at(at(uint64(uintptr(allp[0])), 56), 192)
	note(g)
	note(at(g, 0))
	<-parked
}

func goroutines(count uint64, start bool) {
	runtime.Gosched() // allocating may have taken so long that sysmon wants the P to choose again
	note(at(uint64(uintptr(allp[0])), 16) & 0xffffffff)
	for i := uint64(0); i < count; i++ {
		if start {
			go wait()
			runtime.Gosched()
		} else {
			parked <- true
		}
	}
	for i := 0; i < rounds; i++ { // all have had their turn, although main is sometimes taken before them
		runtime.Gosched()
	}
}

func look(into *[11]uint64) {
	heap, p := uintptr(unsafe.Pointer(&mheap_)), uint64(uintptr(allp[0]))
	c := at(p, 64)
	*into = [11]uint64{word(heap + 66104), word(heap + 66112), at(p, 72), at(p, 80), at(p, 88), at(c, 16), at(c, 24), at(p, 3528), at(p, 4608),
		at(p, 2488), word(heap+92416) & 0xffffffff}
}

// pointerWords: offsets of the words of an object that the heap's bitmap says are pointers.
func pointerWords(object unsafe.Pointer, size uintptr) (words []uintptr) {
	l2 := word(uintptr(unsafe.Pointer(&mheap_)) + 65944)
	for off := uintptr(0); off < size; off += 8 {
		p := uintptr(object) + off
		arena := at(l2, (p+(1<<47))>>26*8)
		if at(arena, (p>>9)%(1<<17)*8)>>((p>>3)%64)&1 != 0 {
			words = append(words, off)
		}
	}
	return
}

func state(v *[11]uint64) map[string]any {
	return map[string]any{"curArena": v[:2], "pcache_base": v[2], "pcache_bits": fmt.Sprintf("%#x", v[3]),
		"pcache_scav": fmt.Sprintf("%#x", v[4]), "tiny": v[5], "tinyoffset": v[6], "mspancache": v[7], "palloc_off": v[8], "sudogs": v[9], "finalizer_nchunk": v[10]}
}

func main() {
	debug.SetGCPercent(-1)
	n := 0
	for in := bufio.NewScanner(os.Stdin); in.Scan() && n < maxSteps; n++ {
		fmt.Sscan(in.Text(), &steps[n].count, &steps[n].size, &steps[n].scan)
	}
	var pointer any = new(*byte)
	typ := *(*unsafe.Pointer)(unsafe.Pointer(uintptr((*[2]unsafe.Pointer)(unsafe.Pointer(&pointer))[0]) + 48)) // its element
	runtime.ReadMemStats(&before)
	look(&first)
	r := spans()
	for i := 0; i < n; i++ {
		if steps[i].scan > 1 {
			if steps[i].scan > 5 {
				note(languageStep(steps[i].scan, steps[i].size))
			} else {
				note(arenaStep(steps[i].scan, steps[i].count, steps[i].size))
			}
			continue
		}
		if steps[i].size == 0 {
			goroutines(steps[i].count, steps[i].scan == 0)
			continue
		}
		t := typ
		if steps[i].scan == 0 {
			t = nil
		}
		for j := uint64(0); j < steps[i].count; j++ {
			note(uint64(uintptr(mallocgc(uintptr(steps[i].size), t, true))))
		}
	}
	runtime.ReadMemStats(&after)
	look(&last)
	json.NewEncoder(os.Stdout).Encode(map[string]any{"before": state(&first), "after": state(&last),
		"heap_map_before": rows[:r], "stack_sizes": stacks[:pools], "addresses": addrs[:noted], "memstats_before": &before, "memstats_after": &after,
		"pointers": map[string]any{"p": pointerWords(allp[0], 8912), "g": pointerWords(allgs[1], 408), "m": pointerWords(allm, 1008)}})
}
