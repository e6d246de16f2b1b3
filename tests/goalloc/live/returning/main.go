// 512 MiB of objects of 1 MiB ("large") or 1 KiB ("small"), every page written, kept, dropped, collected, given back, allocated again. After each step
// the page faults since the one before are printed. It allocates nothing but these objects, and has touched all its variables before but those of its
// first notes: OWN of returning.py.
package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"
)

const mib = 1 << 20

var (
	keep   [12 * mib / 8]unsafe.Pointer
	faults [16]int64
	n      int
	ms     runtime.MemStats
	rollup [4096]byte
)

// note takes the faults first: those of what follows are the next step's.
func note() {
	var usage syscall.Rusage
	syscall.Getrusage(0, &usage)
	faults[n] = usage.Minflt
	n++
	runtime.ReadMemStats(&ms)
	file, _ := syscall.Open("/proc/self/smaps_rollup", 0, 0) // milliseconds, in which the sweeper has its turn
	syscall.Read(file, rollup[:])
	syscall.Close(file)
}

//go:noinline
func fill(size, total int) {
	for i := 0; i < total/size; i++ {
		b := make([]byte, size)
		for j := 0; j < size; j += 4096 {
			b[j] = 1
		}
		keep[i] = unsafe.Pointer(&b[0])
	}
}

func drop() {
	for i := range keep {
		keep[i] = nil
	}
}

func main() {
	size := mib
	if os.Args[1] == "small" {
		size = 1 << 10
	}
	for i := 0; i < len(keep); i += 512 {
		keep[i] = unsafe.Pointer(&keep[0])
	}
	drop()
	note()
	inuse := ms.HeapInuse
	stacks := ms.StackInuse
	fill(size, 512*mib)
	note()
	drop()
	note()
	runtime.GC()
	note()
	debug.FreeOSMemory()
	note()
	fill(size, 512*mib)
	note()
	drop()
	runtime.GC()
	note()
	fill(size, 256*mib)
	note()
	print(inuse, " ", stacks)
	for i := 1; i < n; i++ {
		print(" ", faults[i]-faults[i-1])
	}
	println()
}
