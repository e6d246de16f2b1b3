// GOGC and memory limits that change while a program allocates: how many collections that makes.
package main

import (
	"math"
	"runtime"
	"runtime/debug"
)

var lastGC uint32

// cycles notes how many collections there were since it was called last.
func cycles() {
	runtime.ReadMemStats(&now)
	note(int64(now.NumGC - lastGC))
	lastGC = now.NumGC
}

// percents makes `n` objects of `size` bytes after each SetGCPercent.
func percents(n, size int, each ...int) {
	cycles()
	nNotes = 0
	for _, percent := range each {
		debug.SetGCPercent(percent)
		garbage(n, size)
		cycles()
	}
	debug.SetGCPercent(-1)
}

// limits makes 256 MiB of objects of 64 KiB after each SetMemoryLimit.
func limits(each ...int64) {
	cycles()
	nNotes = 0
	for _, limit := range each {
		debug.SetMemoryLimit(limit)
		garbage(4096, 64<<10)
		cycles()
	}
	debug.SetMemoryLimit(math.MaxInt64)
}

//go:noinline
func nodes(n int) {
	for i := 0; i < n; i++ {
		saved = fresh(1)
	}
	saved = nil
}

func fill(n int) {
	for i := 0; i < n; i++ {
		many[i] = fresh(int64(i))
	}
}

func init() {
	for name, f := range map[string]func(){
		"percent-in-mid-run":      func() { percents(64<<10, 1024, 100, 50, 200, 400, 25, 100) },
		"percent-in-mid-run-16":   func() { percents(1<<20, 16, 100, 50, 200) },
		"percent-in-mid-run-128k": func() { percents(512, 128<<10, 100, 50, 200, 400) },
		"percent-beside-16-mib": func() {
			bytes = make([]byte, 16<<20)
			gc()
			percents(64<<10, 1024, 100, 50, 200, 400, 25, 100)
		},
		"percent-of-nodes": func() {
			cycles()
			nNotes = 0
			for _, percent := range []int{100, 50, 200} {
				debug.SetGCPercent(percent)
				nodes(1 << 20)
				cycles()
			}
			debug.SetGCPercent(-1)
		},
		"percent-zero":      func() { percents(16<<10, 1024, 0) },
		"percent-one":       func() { percents(16<<10, 1024, 1) },
		"percent-ten":       func() { percents(16<<10, 1024, 10) },
		"percent-max-int32": func() { percents(64<<10, 1024, math.MaxInt32); note(int64(debug.SetGCPercent(math.MaxInt32))) },
		"next-goal-of-max-int32": func() {
			debug.SetGCPercent(math.MaxInt32)
			runtime.ReadMemStats(&now)
			note(int64(now.NextGC), int64(debug.SetGCPercent(1<<31)), int64(debug.SetGCPercent(1<<32+5)), int64(debug.SetGCPercent(-1)))
		},
		"off-then-on": func() {
			percents(64<<10, 1024, -1, 100, -1, 100)
		},
		"percent-lowered-below-the-heap": func() {
			bytes = make([]byte, 32<<20)
			debug.SetGCPercent(400)
			gc()
			garbage(48<<10, 1024)
			cycles()
			nNotes = 0
			debug.SetGCPercent(10)
			cycles()
			garbage(64, 1024)
			cycles()
			garbage(4<<10, 1024)
			cycles()
			debug.SetGCPercent(-1)
		},
		"limit-of-zero": func() {
			note(debug.SetMemoryLimit(0) >> 40)
			runtime.ReadMemStats(&now)
			note(int64(now.NextGC)>>20, int64(now.NumGC-before.NumGC))
			if debug.SetMemoryLimit(math.MaxInt64) == 0 {
				note(1)
			}
		},
		"limits-in-mid-run":        func() { limits(24<<20, 48<<20, 96<<20, 32<<20) },
		"limits-beside-16-mib":     func() { bytes = make([]byte, 16<<20); gc(); limits(48<<20, 96<<20) },
		"limit-above-what-gogc-is": func() { debug.SetGCPercent(100); limits(1<<30, math.MaxInt64); debug.SetGCPercent(-1) },
		"limit-that-gogc-meets": func() {
			bytes = make([]byte, 32<<20)
			gc()
			debug.SetGCPercent(100)
			limits(math.MaxInt64, 56<<20)
			debug.SetGCPercent(-1)
		},
		"forced-between": func() {
			debug.SetGCPercent(100)
			cycles()
			nNotes = 0
			for i := 0; i < 8; i++ {
				garbage(2048, 1024)
				gc()
			}
			cycles()
			garbage(16<<10, 1024)
			cycles()
			debug.SetGCPercent(-1)
		},
		"burst-then-steady": func() {
			debug.SetGCPercent(100)
			cycles()
			nNotes = 0
			bytes = make([]byte, 64<<20)
			cycles()
			bytes = nil
			garbage(32<<10, 1024)
			cycles()
			garbage(64<<10, 1024)
			cycles()
			debug.SetGCPercent(-1)
		},
	} {
		scenarios[name] = f
	}
}
