// A program of allocations, pointer writes, finalizers and collections, read from stdin as numbers, and what the real runtime says after
// each collection: Mallocs, Frees, HeapObjects, NumGC less those before the program, and which finalizers have run. It allocates nothing but what the
// program says.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"unsafe"
)

type pointer = unsafe.Pointer
type finalized struct {
	a, b pointer
	tag  int64
}

const (
	opNew = iota
	opLink
	opRoot
	opFinalizer
	opCollect
)

var (
	address [1 << 16]uintptr
	roots   [64]pointer
	ops     []int64
	results [1 << 16]int64
	n       int
	ran     [1 << 16]int64
	nRan    int
	sink    pointer
	ms      runtime.MemStats
)

func finalize(p *finalized) {
	ran[nRan] = p.tag
	nRan++
}

func object(kind int64) pointer {
	switch kind {
	case 0:
		sink = pointer(new([2]pointer))
	case 1:
		sink = pointer(new(finalized))
	case 2:
		sink = pointer(new([8]pointer))
	case 3:
		sink = pointer(new([100]pointer))
	case 4:
		sink = pointer(new([6000]pointer))
	case 5:
		sink = pointer(new([48]byte))
	case 6:
		sink = pointer(new([5000]byte))
	case 7:
		sink = pointer(new([100000]byte))
	}
	return sink
}

func note(x int64) {
	results[n] = x
	n++
}

func collect(base *[4]uint64) {
	runtime.GC()
	for i := 0; i < 8; i++ {
		runtime.Gosched()
	}
	runtime.ReadMemStats(&ms)
	note(int64(ms.Mallocs - base[0]))
	note(int64(ms.Frees - base[1]))
	note(int64(ms.HeapObjects - base[2]))
	note(int64(uint64(ms.NumGC) - base[3]))
	note(int64(nRan))
	for i := 0; i < nRan; i++ {
		note(ran[i])
	}
	nRan = 0
}

func main() {
	debug.SetGCPercent(-1)
	text, _ := io.ReadAll(os.Stdin)
	for _, word := range strings.Fields(string(text)) {
		x, _ := strconv.ParseInt(word, 10, 64)
		ops = append(ops, x)
	}
	text = nil
	f := new(finalized)
	runtime.SetFinalizer(f, finalize)
	f, sink = nil, nil
	var base [4]uint64
	for i := 0; i < 4; i++ { // what the runtime makes once, and what reading has left
		collect(&base)
	}
	n, base = 0, [4]uint64{ms.Mallocs, ms.Frees, ms.HeapObjects, uint64(ms.NumGC)}
	for i := 0; i < len(ops); {
		switch op := ops[i]; op {
		case opNew:
			address[ops[i+1]] = uintptr(object(ops[i+2]))
			sink = nil
			i += 3
		case opLink:
			var to pointer
			if ops[i+3] >= 0 {
				to = pointer(address[ops[i+3]])
			}
			*(*pointer)(pointer(address[ops[i+1]] + uintptr(8*ops[i+2]))) = to
			i += 4
		case opRoot:
			roots[ops[i+1]] = nil
			if ops[i+2] >= 0 {
				roots[ops[i+1]] = pointer(address[ops[i+2]])
			}
			i += 3
		case opFinalizer:
			p := (*finalized)(pointer(address[ops[i+1]]))
			p.tag = ops[i+1]
			runtime.SetFinalizer(p, finalize)
			i += 2
		case opCollect:
			collect(&base)
			i++
		}
	}
	for _, x := range results[:n] {
		fmt.Print(x, " ")
	}
}
