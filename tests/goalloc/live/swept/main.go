// A program of objects, pointers, finalizers and collections on the real heap, GOMAXPROCS=1, GOGC=off: it reads the program as numbers, brings
// the heap into a state that can be told (no span has room, nothing is left to sweep), prints that state, runs, and prints where objects
// lie, what each collection freed, which finalizers it ran in which order, MemStats, and what SetGCPercent returned. Between the two it allocates
// nothing but what the program says. tests/goalloc/swept.py makes the programs; what is read of the runtime is at the offsets that
// the tests hold goalloc's own layout to.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"
)

type pointer = unsafe.Pointer

//go:linkname mheap_ runtime.mheap_
var mheap_ [92792]byte

//go:linkname allp runtime.allp
var allp []pointer

//go:linkname sweep runtime.sweep
var sweep [64]byte

//go:linkname scavenger runtime.scavenger
var scavenger [64]byte

//go:linkname scavenge runtime.scavenge
var scavenge [64]byte

//go:linkname finq runtime.finq
var finq pointer

//go:linkname fingStatus runtime.fingStatus
var fingStatus uint32

//go:linkname class_to_size runtime.class_to_size
var class_to_size [68]uint16

//go:linkname mallocgc runtime.mallocgc
func mallocgc(size uintptr, typ pointer, needzero bool) pointer

// abi.Type
type rtype struct {
	size, ptrBytes                 uintptr
	hash                           uint32
	tflag, align, fieldAlign, kind uint8
	equal                          func(pointer, pointer) bool
	gcdata                         *byte
	str, ptrToThis                 int32
}

const (
	first, page, chunk  = 0xc000000000, 8192, 4 << 20
	most, classes       = 1 << 14, 136
	holders, frame      = 4, 8
	fingWait, fingBusy  = 4, 2 | 8
)

const (
	opNew = iota
	opTiny
	opLink
	opRoot
	opStack
	opFinalizer
	opCollect
	opPercent
	opStats
)

type object struct {
	at, span, index uintptr
	class           uint8
	cycle           uint32
	alive           bool
}

// everything in BSS
var (
	text                [4 << 20]byte
	length, at          int
	types               [64]rtype
	masks               [64][256]byte
	objects             [most]object
	ids, cycle          int
	roots               [256]pointer
	kept                [1 << 18]pointer
	nKept               int
	frames              [holders]*[frame]pointer
	ready               int
	park                = make(chan bool)
	sink                pointer
	told                [1 << 20]int64
	nTold               int
	tags                [most]struct{ at uintptr; tag, root int64 }
	nTags               int
	ran                 [most]int64
	nRan                int
	ms, began           runtime.MemStats
)

func word(a uintptr) uint64   { return *(*uint64)(pointer(a)) }
func half(a uintptr) uint32   { return *(*uint32)(pointer(a)) }
func short(a uintptr) uint16  { return *(*uint16)(pointer(a)) }
func byteAt(a uintptr) uint8  { return *(*uint8)(pointer(a)) }
func heap() uintptr           { return uintptr(pointer(&mheap_)) }
func p0() uintptr             { return uintptr(allp[0]) }
func note(x int64)            { told[nTold] = x; nTold++ }
func currentEnd() uintptr     { return uintptr(word(heap() + 66104)) }
func sweepgen() uint32        { return half(heap() + 65856) }

func next() int64 {
	for text[at] != '-' && (text[at] < '0' || text[at] > '9') {
		at++
	}
	sign, x := int64(1), int64(0)
	if text[at] == '-' {
		sign = -1
		at++
	}
	for ; text[at] >= '0' && text[at] <= '9'; at++ {
		x = 10*x + int64(text[at]-'0')
	}
	return sign * x
}

// spanOf: the mspan of an address, 0 if there is none.
func spanOf(a uintptr) uintptr {
	l2 := uintptr(word(heap() + 65944))
	arena := uintptr(word(l2 + (a+1<<47)>>26*8))
	if arena == 0 {
		return 0
	}
	return uintptr(word(arena + 1064960 + a/page%8192*8))
}

func chunkAt(a uintptr) uintptr {
	ci := (a + 1<<47) / chunk
	return uintptr(word(heap()+8+120+ci/8192*8)) + ci%8192*128
}

func idle() bool { return byteAt(uintptr(pointer(&sweep))+16) != 0 && finq == nil && fingStatus&fingBusy == 0 && (fingStatus == 0 || fingStatus&fingWait != 0) }

func settle() {
	for i := 0; i < 1000 && (i < 3 || !idle()); i++ {
		runtime.Gosched()
	}
}

// hold is a goroutine that waits with pointers in its frame.
func hold(i int) {
	var a [frame]pointer
	frames[i] = &a
	ready++
	<-park
	for _, x := range a {
		sink = x
	}
}

func finalize(x *byte) {
	for i := nTags - 1; i >= 0; i-- {
		if tags[i].at == uintptr(pointer(x)) {
			ran[nRan] = tags[i].tag
			nRan++
			tags[i].at = 0
			if tags[i].root >= 0 {
				roots[tags[i].root] = pointer(x)
			}
			return
		}
	}
}

// fill: an object for every free slot of every span; whether there was none.
func fill() bool {
	var room [classes]int
	full := true
	for a := uintptr(first); a < currentEnd(); a += page {
		s := spanOf(a)
		if s == 0 || uintptr(word(s+24)) != a || byteAt(s+107) != 1 || byteAt(s+106) < 2 {
			continue
		}
		if n := int(word(s+56)) - int(short(s+104)); n > 0 {
			room[byteAt(s+106)] += n
			full = false
		}
	}
	for class, n := range room {
		typ := pointer(&types[0])
		if class&1 == 1 {
			typ = nil
		}
		for ; n > 0; n-- {
			kept[nKept] = mallocgc(uintptr(class_to_size[class>>1]), typ, true)
			nKept++
		}
	}
	return full
}

//go:noinline
func warm() { runtime.SetFinalizer((*byte)(mallocgc(16, nil, true)), finalize) }

// makes what the runtime makes once, and a heap without room.
func prepare() {
	for i := 0; i < holders; i++ {
		go hold(i)
	}
	for ready < holders {
		runtime.Gosched()
	}
	warm()
	for i := 0; i < 6; i++ {
		runtime.GC()
		settle()
		runtime.ReadMemStats(&ms)
	}
	for i := 0; i < 20 && !fill(); i++ {
		runtime.GC()
		settle()
		runtime.ReadMemStats(&ms)
	}
	nRan = 0
}

type start struct {
	Spans                            [8192][9]int64
	NSpans                           int
	Full                             [classes][2048]int64
	NFull                            [classes]int
	Cache, Scav                      uint64
	CacheAt, Current, End, Search    uint64
	Goal                             uint64
	Free, Gone                       [1 << 13]bool
	Ticks                            int
}

var state start

func remember() {
	for a := uintptr(first); a < currentEnd(); a += page {
		s := spanOf(a)
		if s == 0 || uintptr(word(s+24)) != a || byteAt(s+107) == 0 {
			continue
		}
		gen := int64(0)
		if byteAt(s+107) == 1 {
			gen = int64(int32(half(s+96) - sweepgen()))
		}
		state.Spans[state.NSpans] = [9]int64{int64((a - first) / page), int64(word(s + 32)), int64(byteAt(s + 107)), int64(byteAt(s + 106)),
			int64(word(s + 48)), int64(short(s + 104)), int64(word(s + 56)), gen, int64(byteAt(s + 108))}
		state.NSpans++
	}
	for class := range state.Full {
		set := heap() + 66120 + uintptr(class)*192 + 88 + uintptr(sweepgen()/2%2)*40
		index := word(set + 32)
		for k := index >> 32; k < index&0xffffffff; k++ {
			block := uintptr(word(uintptr(word(set+8)) + uintptr(k/512*8)))
			s := uintptr(word(block + 24 + uintptr(k%512*8)))
			state.Full[class][state.NFull[class]] = int64((uintptr(word(s+24)) - first) / page)
			state.NFull[class]++
		}
	}
	state.CacheAt, state.Cache, state.Scav = word(p0()+72), word(p0()+80), word(p0()+88)
	state.Current, state.End = word(heap()+66104), word(heap()+66112)
	state.Search, state.Goal = word(heap()+8+65656), word(uintptr(pointer(&scavenge)))
	for a := uintptr(first); a < uintptr(state.Current); a += page {
		i := (a - first) / page
		used := word(chunkAt(a)+i%512/64*8)>>(i%64)&1 != 0
		gone := word(chunkAt(a)+64+i%512/64*8)>>(i%64)&1 != 0
		state.Free[i], state.Gone[i] = !used, !used && gone
	}
	runtime.ReadMemStats(&began)
}

//go:noinline
func place(id int64, x pointer) {
	a := uintptr(x)
	s := spanOf(a)
	o := &objects[id]
	*o = object{at: a, span: uintptr(word(s + 24)), class: byteAt(s + 106), cycle: uint32(cycle), alive: true}
	if o.class >= 2 {
		o.index = (a - o.span) / uintptr(word(s+112))
	}
	ids = max(ids, int(id)+1)
	note(int64(a - first))
}

func max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

func address(to int64) pointer {
	if to < 0 {
		return nil
	}
	return pointer(objects[to].at)
}

func stats() {
	runtime.ReadMemStats(&ms)
	for _, d := range [...]uint64{ms.Mallocs - began.Mallocs, ms.Frees - began.Frees, ms.HeapObjects - began.HeapObjects, ms.HeapAlloc - began.HeapAlloc,
		ms.TotalAlloc - began.TotalAlloc, ms.HeapSys - began.HeapSys, ms.HeapInuse - began.HeapInuse, uint64(ms.NumGC - began.NumGC)} {
		note(int64(d))
	}
}

// collect: schedtick as it is set, freed objects, finalizers in their order, MemStats.
func collect() {
	cycle++
	tick := uint32(at%61) + 61*uint32(cycle+20)
	*(*uint32)(pointer(p0() + 16)) = tick
	runtime.GC()
	settle()
	note(int64(tick))
	n := nTold
	note(0)
	for i := 0; i < ids; i++ {
		o := &objects[i]
		if !o.alive || o.cycle == uint32(cycle) {
			continue
		}
		s := spanOf(o.at)
		if s == 0 || byteAt(s+107) != 1 || uintptr(word(s+24)) != o.span || byteAt(s+106) != o.class || byteAt(uintptr(word(s+72))+o.index/8)>>(o.index%8)&1 == 0 {
			o.alive = false
			told[n]++
			note(int64(i))
		}
	}
	note(int64(nRan))
	for i := 0; i < nRan; i++ {
		note(ran[i])
	}
	nRan = 0
	stats()
}

//go:noinline
func setFinalizer(id int64) { runtime.SetFinalizer((*byte)(pointer(objects[id].at)), finalize) }

func run() {
	for n := next(); n > 0; n-- {
		switch op := next(); op {
		case opNew:
			id, t := next(), next()
			typ := pointer(&types[t])
			if types[t].ptrBytes == 0 {
				typ = nil
			}
			place(id, mallocgc(types[t].size, typ, true))
		case opTiny:
			id, size := next(), next()
			place(id, mallocgc(uintptr(size), nil, true))
		case opLink:
			from, offset, to := next(), next(), next()
			*(*pointer)(pointer(objects[from].at + uintptr(offset))) = address(to)
		case opRoot:
			k, to := next(), next()
			roots[k] = address(to)
		case opStack:
			k, to := next(), next()
			frames[k/frame][k%frame] = address(to)
		case opFinalizer:
			id, root := next(), next()
			tags[nTags].at, tags[nTags].tag, tags[nTags].root = objects[id].at, id, root
			nTags++
			setFinalizer(id)
		case opCollect:
			collect()
		case opPercent:
			note(int64(debug.SetGCPercent(int(next()))))
			note(int64(debug.SetGCPercent(-1)))
		case opStats:
			stats()
		}
	}
}

func main() {
	debug.SetGCPercent(-1)
	var deep [48 << 10]byte
	deep[len(os.Args)] = 1
	for parked := (*bool)(pointer(uintptr(pointer(&scavenger)) + 16)); ; runtime.Gosched() {
		if *parked { // never woken from now on
			*parked = false
			break
		}
	}
	for {
		n, err := syscall.Read(0, text[length:])
		if n <= 0 || err != nil {
			break
		}
		length += n
	}
	types[0] = rtype{size: 8, ptrBytes: 8, align: 8, fieldAlign: 8, kind: 25, gcdata: &masks[0][0]}
	masks[0][0] = 1
	for i, n := 1, int(next()); i <= n; i++ {
		types[i] = rtype{size: uintptr(next()), align: 8, fieldAlign: 8, kind: 25, gcdata: &masks[i][0]}
		for k := next(); k > 0; k-- {
			offset := uintptr(next())
			masks[i][offset/64] |= 1 << (offset / 8 % 8)
			types[i].ptrBytes = offset + 8
		}
	}
	prepare()
	remember()
	run()
	full := map[string][]int64{}
	for class, n := range state.NFull {
		if n > 0 {
			full[fmt.Sprint(class)] = state.Full[class][:n]
		}
	}
	pages := (state.Current - first) / page
	json.NewEncoder(os.Stdout).Encode(map[string]any{"spans": state.Spans[:state.NSpans], "full": full, "cache": []string{fmt.Sprint(state.CacheAt),
		fmt.Sprintf("%#x", state.Cache), fmt.Sprintf("%#x", state.Scav)}, "arena": []uint64{state.Current - first, state.End - first}, "search": state.Search,
		"goal": fmt.Sprint(state.Goal), "free": state.Free[:pages], "gone": state.Gone[:pages], "stats": &began, "told": told[:nTold]})
	runtime.KeepAlive(&kept)
	runtime.KeepAlive(deep)
}
