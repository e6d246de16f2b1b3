// What MemStats says of memory that is taken, kept, wasted and given back.
package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

var (
	ints    []int
	blocks  [128][]byte
	queue   []*node
	text    string
	stop    = make(chan bool)
	deeper  [64]int64
	stacks0 uint64
)

func bools(conditions ...bool) {
	for _, holds := range conditions {
		if holds {
			note(1)
		} else {
			note(0)
		}
	}
}

func heap() { runtime.ReadMemStats(&now) }

func delta(a, b uint64) int64 { return int64(a - b) }

//go:noinline
func deep(n int) int64 {
	var frame [64]int64
	frame[n&63] = int64(n)
	if n == 0 {
		stop <- true
		<-stop
		return frame[0]
	}
	return deep(n-1) + frame[n&63]
}

func parkedOne() { <-stop }

func init() {
	for name, f := range map[string]func(){
		"free-os-memory-twice": func() {
			bytes = make([]byte, 32<<20)
			for i := 0; i < len(bytes); i += 4096 {
				bytes[i] = 1
			}
			heap()
			sys := now.HeapSys
			bytes = nil
			for i := 0; i < 2; i++ {
				debug.FreeOSMemory()
				settle()
				heap()
				note(delta(now.HeapIdle, now.HeapReleased)>>16, delta(now.HeapSys, sys)>>20, int64(now.NumForcedGC-before.NumForcedGC))
			}
		},
		"memory-comes-back-where-it-was": func() {
			blocks[0] = make([]byte, 24<<20)
			for i := 0; i < len(blocks[0]); i += 4096 {
				blocks[0][i] = 1
			}
			heap()
			sys := now.HeapSys
			blocks[0] = nil
			debug.FreeOSMemory()
			blocks[0] = make([]byte, 24<<20)
			heap()
			note(delta(sys, now.HeapSys), int64(now.HeapReleased-before.HeapReleased)>>20)
			blocks[0] = nil
		},
		"every-other-large-object": func() {
			for i := range blocks {
				blocks[i] = make([]byte, 256<<10)
			}
			heap()
			full := now.HeapInuse
			for i := 0; i < len(blocks); i += 2 {
				blocks[i] = nil
			}
			gc()
			heap()
			note(delta(full, now.HeapInuse), int64(now.HeapAlloc-before.HeapAlloc))
			sys := now.HeapSys
			bytes = make([]byte, 512<<10) // fits no hole
			heap()
			inuse := now.HeapInuse
			for i := 0; i < len(blocks); i += 2 { // fill all
				blocks[i] = make([]byte, 256<<10)
			}
			heap()
			note(delta(now.HeapInuse, inuse), delta(now.HeapSys, sys)>>20)
			bytes = nil
			for i := range blocks {
				blocks[i] = nil
			}
		},
		"one-object-keeps-its-span": func() {
			fill(len(many)) // 24 bytes: 341 in a span
			heap()
			inuse := now.HeapInuse
			for i := range many {
				if i%341 != 0 {
					many[i] = nil
				}
			}
			gc()
			read()
			note(delta(inuse, now.HeapInuse) >> 15)
			for i := range many {
				many[i] = nil
			}
			gc()
			read()
		},
		"what-size-classes-waste": func() {
			for _, size := range []int{1, 8, 9, 16, 17, 33, 49, 100, 129, 1000, 1025, 2049, 4097, 8193, 16385, 28673, 32768, 32769, 40961, 100000} {
				heap()
				total := now.TotalAlloc
				garbage(16, size)
				heap()
				note(delta(now.TotalAlloc, total))
			}
		},
		"tiny-objects-share-blocks": func() {
			heap()
			mallocs, total := now.Mallocs, now.TotalAlloc
			for i := 0; i < 1000; i++ {
				tiny[i%64] = new(byte)
			}
			heap()
			note(delta(now.Mallocs, mallocs), delta(now.TotalAlloc, total))
			sample := []metrics.Sample{{Name: "/gc/heap/tiny/allocs:objects"}}
			metrics.Read(sample)
			tinies := sample[0].Value.Uint64()
			for i := 0; i < 64; i++ {
				tiny[i] = new(byte)
			}
			metrics.Read(sample)
			note(int64(sample[0].Value.Uint64() - tinies))
		},
		"a-queue-that-is-cut-from-the-front": func() {
			queue = make([]*node, 0, 1024)
			for i := 0; i < 1024; i++ {
				queue = append(queue, fresh(int64(i)))
			}
			queue = queue[1000:]
			gc()
			read()
			whole := queue
			queue = append([]*node(nil), whole...)
			whole = nil
			gc()
			read()
			queue = nil
			gc()
			read()
		},
		"capacities-of-append": func() {
			ints = nil
			last := 0
			for i := 0; i < 20000; i++ {
				ints = append(ints, i)
				if cap(ints) != last {
					last = cap(ints)
					note(int64(last))
				}
			}
			ints = nil
		},
		"a-map-filled-again": func() {
			numbers = make(map[int]int)
			for i := 0; i < 1000; i++ {
				numbers[i] = i
			}
			for i := 0; i < 1000; i++ {
				delete(numbers, i)
			}
			heap()
			mallocs := now.Mallocs
			for i := 0; i < 1000; i++ {
				numbers[i] = i
			}
			heap()
			bools(now.Mallocs-mallocs < 64) // overflow buckets at most
			numbers = nil
		},
		"a-map-that-starts-over": func() {
			for round := 0; round < 3; round++ {
				numbers = make(map[int]int)
				for i := 0; i < 5000; i++ {
					numbers[i] = i
				}
				gc()
				heap()
				note(int64(now.HeapAlloc-before.HeapAlloc) >> 16)
			}
			numbers = nil
		},
		"part-of-a-string": func() {
			big := string(make([]byte, 1<<20))
			text = big[:16]
			big = ""
			gc()
			read()
			text = string(append([]byte(nil), text...))
			gc()
			read()
			text = ""
		},
		"a-stack-that-was-deep": func() {
			heap()
			stacks0 = now.StackInuse
			go deep(1000)
			<-stop
			heap()
			note(delta(now.StackInuse, stacks0) >> 10)
			stop <- true
			settle()
			gc()
			gc()
			heap()
			note(delta(now.StackInuse, stacks0) >> 15)
		},
		"goroutines-that-wait": func() {
			heap()
			stacks := now.StackInuse
			for i := 0; i < 1024; i++ {
				go parkedOne()
			}
			settle()
			heap()
			note(delta(now.StackInuse, stacks)>>20, int64(runtime.NumGoroutine()))
			for i := 0; i < 1024; i++ {
				stop <- true
			}
			settle()
			heap()
			mallocs := now.Mallocs
			for i := 0; i < 1024; i++ {
				go parkedOne()
			}
			settle()
			heap()
			bools(now.Mallocs-mallocs < 16) // descriptors are used again
			for i := 0; i < 1024; i++ {
				stop <- true
			}
			settle()
		},
		"what-sys-is": func() {
			fill(len(many))
			bytes = make([]byte, 3<<20)
			gc()
			heap()
			bools(
				now.Sys == now.HeapSys+now.StackSys+now.MSpanSys+now.MCacheSys+now.BuckHashSys+now.GCSys+now.OtherSys,
				now.HeapSys == now.HeapInuse+now.HeapIdle, now.HeapReleased <= now.HeapIdle, now.HeapAlloc <= now.HeapInuse,
				now.Alloc == now.HeapAlloc, now.Mallocs-now.Frees == now.HeapObjects, now.TotalAlloc >= now.HeapAlloc,
				now.NextGC >= now.HeapAlloc, now.EnableGC, !now.DebugGC, now.Lookups == 0,
			)
			bytes = nil
		},
		"collection-statistics": func() {
			gc()
			debug.FreeOSMemory()
			stats := debug.GCStats{PauseQuantiles: make([]int64Duration, 3)}
			debug.ReadGCStats(&stats)
			heap()
			last := (now.NumGC + 255) % 256
			bools(
				stats.NumGC == int64(now.NumGC), uint64(stats.LastGC.UnixNano()) == now.LastGC, stats.PauseEnd[0].Equal(stats.LastGC),
				len(stats.Pause) == int(stats.NumGC), uint64(stats.Pause[0]) == now.PauseNs[last], now.PauseEnd[last] == now.LastGC,
				uint64(stats.PauseTotal) == now.PauseTotalNs, stats.PauseQuantiles[0] <= stats.PauseQuantiles[1],
				stats.PauseQuantiles[1] <= stats.PauseQuantiles[2], now.LastGC > 1e18,
			)
			note(int64(now.NumGC-before.NumGC), int64(now.NumForcedGC-before.NumForcedGC))
		},
	} {
		scenarios[name] = f
	}
}
