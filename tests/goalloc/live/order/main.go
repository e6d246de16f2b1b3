// Runs programs of goroutines on one P and notes which step of which goroutine ended when, and how.
//
// Standard input: JSON, an array of programs. A program's goroutine 0 is started by main, the others by a step of another; main
// yields until nothing can run any more. The answer has for each program the P's count of choices before it (schedtick), the
// channels in the order of their addresses, by which select locks them, and the notes: goroutine, step, outcome. Before a select
// the random state is set to the step's, which makes its poll order repeatable.
// A program that took longer than its own pauses and half a millisecond, for the host ran something else, is run again.
package main

import (
	"encoding/json"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"sync"
	"time"
	"unsafe"
)

//go:linkname allp runtime.allp
var allp []unsafe.Pointer

type scase struct {
	c    chan int64
	elem *int64
}

//go:linkname selectgo runtime.selectgo
func selectgo(cas0 *scase, order0 *uint16, pc0 *uintptr, nsends, nrecvs int, block bool) (int, bool)

type program struct {
	Rooms, Groups []int // of channels, -1: nil; what WaitGroups wait for
	Mutexes       int
	Scripts       [][]step // a step: kind, then its numbers
}
type step []int64

const (
	goStep = iota
	send
	receive
	closeStep
	lock
	unlock
	done
	wait
	gosched
	selectStep // block, random state, number of sends, channels
	pause      // three milliseconds of work
)
const panicked, closed, nothing, chosen = -9, -1, -2, 1_000_000
const pauseTime, slack, rounds = 3 * time.Millisecond, time.Millisecond / 2, 60

var (
	p        program
	channels []chan int64
	mutexes  []sync.Mutex
	groups   []sync.WaitGroup
	notes    [1 << 16][3]int64
	count    int
	pauses   time.Duration
)

func field(of unsafe.Pointer, at uintptr) *uint64 { return (*uint64)(unsafe.Add(of, at)) }

func prepare() {
	channels, count, pauses = nil, 0, 0
	for _, room := range p.Rooms {
		if room < 0 {
			channels = append(channels, nil)
		} else {
			channels = append(channels, make(chan int64, room))
		}
	}
	mutexes, groups = make([]sync.Mutex, p.Mutexes), make([]sync.WaitGroup, len(p.Groups))
	for i, n := range p.Groups {
		groups[i].Add(n)
	}
}

// byAddress is the channels that are not nil in the order of their addresses.
func byAddress() (order []int) {
	for i, c := range channels {
		if c != nil {
			order = append(order, i)
		}
	}
	address := func(i int) uintptr { return *(*uintptr)(unsafe.Pointer(&channels[i])) }
	sort.Slice(order, func(i, j int) bool { return address(order[i]) < address(order[j]) })
	return
}

func run(k int64) {
	for i, s := range p.Scripts[k] {
		outcome := do(k, int64(i), s)
		notes[count] = [3]int64{k, int64(i), outcome}
		count++
	}
}

func do(k, i int64, s step) (outcome int64) {
	defer func() {
		if recover() != nil {
			outcome = panicked
		}
	}()
	value := 100*k + i
	switch s[0] {
	case goStep:
		go run(s[1])
	case send:
		channels[s[1]] <- value
	case receive:
		v, ok := <-channels[s[1]]
		if !ok {
			return closed
		}
		return v
	case closeStep:
		close(channels[s[1]])
	case lock:
		mutexes[s[1]].Lock()
	case unlock:
		mutexes[s[1]].Unlock()
	case done:
		groups[s[1]].Done()
	case wait:
		groups[s[1]].Wait()
	case gosched:
		runtime.Gosched()
	case selectStep:
		return choose(value, s[1] != 0, uint64(s[2]), int(s[3]), s[4:])
	case pause:
		for begin := time.Now(); time.Since(begin) < pauseTime; {
		}
		pauses += pauseTime
	}
	return 0
}

func choose(value int64, block bool, random uint64, nsends int, of []int64) int64 {
	n := len(of)
	cases, values, order := make([]scase, n+1), make([]int64, n), make([]uint16, 2*n+1)
	for i, c := range of {
		values[i] = value
		cases[i] = scase{channels[c], &values[i]}
	}
	*field(unsafe.Pointer(uintptr(*field(allp[0], 56))), 288) = random
	i, ok := selectgo(&cases[0], &order[0], nil, nsends, n-nsends, block)
	switch {
	case i < 0:
		return nothing
	case i < nsends:
		return chosen * int64(i+1)
	case !ok:
		return chosen*int64(i+1) + closed
	}
	return chosen*int64(i+1) + values[i]
}

func main() {
	debug.SetGCPercent(-1)
	var programs []program
	if err := json.NewDecoder(os.Stdin).Decode(&programs); err != nil {
		panic(err)
	}
	type answer struct {
		Schedtick uint32
		Channels  []int
		Notes     [][3]int64
	}
	var answers []answer
	for _, p = range programs {
		for {
			prepare()
			runtime.Gosched()
			tick, begin := uint32(*field(allp[0], 16)), time.Now()
			go run(0)
			for i := 0; i < rounds; i++ {
				runtime.Gosched()
			}
			if time.Since(begin) < pauses+slack {
				answers = append(answers, answer{tick, byAddress(), append([][3]int64{}, notes[:count]...)})
				break
			}
		}
	}
	json.NewEncoder(os.Stdout).Encode(answers)
}
