// The program of the recorded scenario "goroutines": 1000 that note themselves and wait, on one P, each started after a Gosched.
//
// Started with one argument, whose slice the heap holds, and no environment but GOMAXPROCS it finds the recorded heap: main's stack has
// grown from 4 KiB to 32 and 64, and 96 KiB of rows are allocated. Prints the heap before, the notes (offsets of the g and of its stack
// from the first's, size of the stack) and what MemStats counted before and after.
package main

import (
	"encoding/json"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"
)

//go:linkname allp runtime.allp
var allp []unsafe.Pointer

//go:linkname mheap_ runtime.mheap_
var mheap_ [92792]byte

var (
	c             = make(chan int)
	notes         [][]int64
	rows          [4096][7]uint64
	before, after runtime.MemStats
)

func word(p uintptr) uint64           { return *(*uint64)(unsafe.Pointer(p)) }
func at(p uint64, off uintptr) uint64 { return word(uintptr(p) + off) }

func spans() (n int) {
	heap := uintptr(unsafe.Pointer(&mheap_))
	array, count := word(heap+65864), word(heap+65872)
	for i := uint64(0); i < count; i++ {
		if s := at(array, uintptr(8*i)); at(s, 104)>>24&0xff != 0 {
			rows[n] = [7]uint64{(at(s, 24) - 0xc000000000) / 8192, at(s, 32), at(s, 104) >> 24 & 0xff, at(s, 104) >> 16 & 0xff, at(s, 48),
				at(s, 104) & 0xffff, at(s, 56)}
			n++
		}
	}
	return
}

//go:noinline
func deep(n int) byte {
	var frame [20000]byte
	frame[n] = byte(n)
	if n > 0 {
		return deep(n-1) + frame[n]
	}
	return frame[n]
}

func main() {
	debug.SetGCPercent(-1)
	deep(1)
	notes = make([][]int64, 0, 4096)
	runtime.ReadMemStats(&before)
	n := spans()
	first, firstStack := int64(0), int64(0)
	for i := 0; i < 1000; i++ {
		go func() {
			g := at(at(uint64(uintptr(allp[0])), 56), 192)
			lo, hi := int64(at(g, 0)), int64(at(g, 8))
			if first == 0 {
				first, firstStack = int64(g), lo
			}
			notes = append(notes, []int64{int64(g) - first, lo - firstStack, hi - lo})
			<-c
		}()
		runtime.Gosched()
	}
	runtime.ReadMemStats(&after)
	json.NewEncoder(os.Stdout).Encode(map[string]any{"notes": notes, "heap": rows[:n], "before": &before, "after": &after})
}
