// The real allocator's nanoseconds an allocation, for malloc.py: the collector is off, objects are kept.
//
// Arguments: size, whether it has pointers (0, 1), allocations a round, rounds. Prints one number a round.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
	"unsafe"
)

//go:linkname mallocgc runtime.mallocgc
func mallocgc(size uintptr, typ unsafe.Pointer, needzero bool) unsafe.Pointer

var sink unsafe.Pointer

func cpu() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

func main() {
	debug.SetGCPercent(-1)
	var n [4]int
	for i := range n {
		n[i], _ = strconv.Atoi(os.Args[i+1])
	}
	var pointer any = new(*byte)
	typ := *(*unsafe.Pointer)(unsafe.Pointer(uintptr((*[2]unsafe.Pointer)(unsafe.Pointer(&pointer))[0]) + 48))
	if n[1] == 0 {
		typ = nil
	}
	for round := 0; round < n[3]; round++ {
		began := cpu()
		for i := 0; i < n[2]; i++ {
			sink = mallocgc(uintptr(n[0]), typ, true)
		}
		fmt.Println(float64(cpu()-began) / float64(n[2]))
	}
}
