// User arenas: steps whose third number is 2 or more. Built with GOEXPERIMENT=arenas.
//
//	number 0 2        arena `number` is made; the address of its userArena
//	number type 3     an object of a type from it; its address
//	number n*16+type 4     a slice of n of them; its address
//	number 0 5        it is freed
package main

import (
	"arena"
	"unsafe"
)

type node struct {
	left, right *node
	key         int64
}

type mixed struct {
	a int32
	b *byte
	c uint8
}

var arenas [64]*arena.Arena

func arenaStep(kind, number, size uint64) uint64 {
	a := arenas[number]
	switch kind {
	case 2:
		arenas[number] = arena.NewArena()
		return uint64(**(**uintptr)(unsafe.Pointer(&arenas[number])))
	case 5:
		a.Free()
		return 0
	}
	of, n := size%16, int(size/16)
	if kind == 3 {
		n = -1
	}
	switch of {
	case 0:
		return place[uint8](a, n)
	case 1:
		return place[int32](a, n)
	case 2:
		return place[int64](a, n)
	case 3:
		return place[*byte](a, n)
	case 4:
		return place[node](a, n)
	case 5:
		return place[[5]uint8](a, n)
	case 6:
		return place[[1000]*byte](a, n)
	case 7:
		return place[mixed](a, n)
	case 8:
		return place[[100000]int64](a, n)
	}
	return place[[70000]*byte](a, n)
}

func place[T any](a *arena.Arena, n int) uint64 {
	if n < 0 {
		return uint64(uintptr(unsafe.Pointer(arena.New[T](a))))
	}
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(arena.MakeSlice[T](a, n, n)))))
}
