// Runs programs on a map from integers to integers, and prints what each step saw.
//
// Standard input: JSON, an array of programs {Random, Secret, Steps}. Hashes are those of processors without AES instructions, with
// the program's secret, and before each step the random state is set to Random plus the step's number, so that the map is the same
// in every run. A step: kind, then its numbers. While a range goes on, each entry that it sees is followed by steps of its own.
package main

import (
	"encoding/json"
	"os"
	"runtime/debug"
	"unsafe"
)

//go:linkname allp runtime.allp
var allp []unsafe.Pointer

//go:linkname useAeshash runtime.useAeshash
var useAeshash bool

//go:linkname hashkey runtime.hashkey
var hashkey [4]uintptr

type program struct {
	Random, Secret uint64
	Steps          [][]int
}

const (
	assign   = iota // first key, how many
	remove          // first key, how many
	rangeAll        // how many of the following steps are done, one after each entry
	clearAll
	look
)

type hmap struct {
	count       int
	flags, B    uint8
	noverflow   uint16
	hash0       uint32
	_, old      unsafe.Pointer
	nevacuate   uintptr
}

var (
	m     map[int]int
	seen  []int64
	p     program
	value int
)

func randomState(step int) {
	*(*uint64)(unsafe.Add(*(*unsafe.Pointer)(unsafe.Add(allp[0], 56)), 288)) = p.Random + uint64(step)
}

func do(step int) {
	s := p.Steps[step]
	randomState(step)
	switch s[0] {
	case assign:
		for k := s[1]; k < s[1]+s[2]; k++ {
			m[k] = value
			value++
		}
	case remove:
		for k := s[1]; k < s[1]+s[2]; k++ {
			delete(m, k)
		}
	case clearAll:
		clear(m)
	case look:
		h := *(**hmap)(unsafe.Pointer(&m))
		growing := int64(0)
		if h.old != nil {
			growing = 1
		}
		seen = append(seen, int64(h.count), int64(h.flags), int64(h.B), int64(h.noverflow), int64(h.hash0), int64(h.nevacuate), growing)
	}
}

func main() {
	debug.SetGCPercent(-1)
	useAeshash = false
	var programs []program
	if err := json.NewDecoder(os.Stdin).Decode(&programs); err != nil {
		panic(err)
	}
	var all [][]int64
	for _, p = range programs {
		hashkey[0] = uintptr(p.Secret)
		seen, value = nil, 0
		randomState(-1)
		m = make(map[int]int)
		for i := 0; i < len(p.Steps); i++ {
			if p.Steps[i][0] != rangeAll {
				do(i)
				continue
			}
			randomState(i)
			end := i + p.Steps[i][1]
			for k, v := range m {
				seen = append(seen, int64(k), int64(v))
				if i < end {
					i++
					do(i)
				}
			}
			i = end
		}
		all = append(all, seen)
	}
	json.NewEncoder(os.Stdout).Encode(all)
}
