// What finalizers do, and what ends a program.
package main

import (
	"runtime"
	"time"
)

type int64Duration = time.Duration

type large struct {
	next *node
	pad  [1 << 20]byte
}

var (
	global     node
	empty      *struct{}
	collecting func(*node)
	allocating func(*node)
	largeRan   = func(p *large) { nRan++ }
)

//go:noinline
func withPointer() {
	a, b := finalized(1, ringFinalizer), fresh(2)
	a.next = b
	b.next = fresh(3)
}

//go:noinline
func largeOne() {
	p := new(large)
	runtime.SetFinalizer(p, largeRan)
}

//go:noinline
func several(n int) {
	for i := 0; i < n; i++ {
		finalized(int64(i), ringFinalizer)
	}
}

//go:noinline
func endless(n int) int {
	var frame [128]int
	frame[n&127] = n
	return endless(n+1) + frame[(n+1)&127]
}

var (
	minus     = -1
	tooLong   = 1 << 62
	ofWords   []int64
	nilNode   *node
	tooDeeply int
)

func init() {
	collecting = func(p *node) { nRan++; runtime.GC() }
	allocating = func(p *node) { nRan++; saved = fresh(9) }
	for name, f := range map[string]func(){
		"finalizer-that-collects": func() {
			finalized(1, collecting)
			gc()
			gc()
			gc()
			runtime.ReadMemStats(&now)
			note(int64(nRan), int64(now.NumGC-before.NumGC), int64(now.NumForcedGC-before.NumForcedGC))
		},
		"finalizer-that-allocates": func() {
			finalized(1, allocating)
			gc()
			note(int64(nRan))
			read()
			saved = nil
			gc()
			read()
		},
		"finalizer-of-a-global": func() {
			runtime.SetFinalizer(&global, ringFinalizer)
			runtime.SetFinalizer(&global, ringFinalizer)
			gc()
			note(int64(nRan))
		},
		"finalizer-of-what-has-no-size": func() {
			empty = new(struct{})
			runtime.SetFinalizer(empty, func(*struct{}) { nRan++ })
			empty = nil
			gc()
			note(int64(nRan))
		},
		"finalizer-of-a-large-object": func() {
			largeOne()
			gc()
			note(int64(nRan))
			read()
			gc()
			read()
		},
		"finalizer-taken-away-and-set-again": func() {
			p := finalized(5, ringFinalizer)
			for i := 0; i < 3; i++ {
				runtime.SetFinalizer(p, nil)
				runtime.SetFinalizer(p, ringFinalizer)
			}
			p = nil
			gc()
			note(int64(nRan), ran[0])
			gc()
			read()
		},
		"finalizer-keeps-what-it-leads-to": func() {
			withPointer()
			gc()
			note(int64(nRan))
			read()
			gc()
			read()
		},
		"a-hundred-finalizers": func() {
			several(100)
			gc()
			note(int64(nRan))
			for i := 0; i < nRan; i++ {
				note(ran[i])
			}
			gc()
			read()
		},
		"finalizer-set-without-need": func() { // nil takes away what is not there
			p := fresh(1)
			runtime.SetFinalizer(p, nil)
			runtime.SetFinalizer(p, nil)
			runtime.KeepAlive(p)
			p = nil
			gc()
			note(int64(nRan))
			read()
		},
		"kept-through-a-loop": func() {
			p := finalized(7, ringFinalizer)
			for i := 0; i < 5; i++ {
				gc()
				garbage(100, 100)
			}
			note(int64(nRan))
			runtime.KeepAlive(p)
			p = nil
			gc()
			note(int64(nRan))
		},
		"finalizer-of-nil":      func() { runtime.SetFinalizer(nilNode, ringFinalizer) },
		"slice-of-minus-one":    func() { ofWords = make([]int64, minus) },
		"slice-too-long":        func() { ofWords = make([]int64, tooLong) },
		"slice-with-too-little": func() { ofWords = make([]int64, 2-minus, 2) },
		"slice-of-minus-one-room": func() {
			ofWords = make([]int64, 0, minus)
		},
		"slice-with-too-much":    func() { ofWords = make([]int64, 1, tooLong) },
		"goroutine-without-end":  func() { tooDeeply = endless(0) },
		"pin-of-what-is-not-gos": func() { pinner.Pin((*node)(ptr(0x7000))) },
	} {
		scenarios[name] = f
	}
}
