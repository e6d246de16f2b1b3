// Random histories answered by the real runtime's own page allocator: laid over its source as runtime/oracle_test.go and run
// as one of its tests. ORACLE_SEED: of the histories; ORACLE_OUT: the folder that gets pagealloc, pallocbits, findbitrange64.
package runtime_test

import (
	"encoding/json"
	"math/rand"
	"os"
	. "runtime"
	"strconv"
	"testing"
)

func seed() int64 {
	s, _ := strconv.ParseInt(os.Getenv("ORACLE_SEED"), 10, 64)
	return s
}

func emit(t *testing.T, name string, v any) {
	f, err := os.Create(os.Getenv("ORACLE_OUT") + "/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := json.NewEncoder(f).Encode(v); err != nil {
		t.Fatal(err)
	}
}

type op struct {
	Op   string `json:"op"`
	Arg  uint64 `json:"arg"`
	Addr int64  `json:"addr"` // relative to the first chunk's base; -1 = none
	Ret  uint64 `json:"ret"`
}

type paCase struct {
	Chunks int                  `json:"chunks"`
	Init   map[string][][2]uint `json:"init_alloc"`
	Scav   map[string][][2]uint `json:"init_scav"`
	Ops    []op                 `json:"ops"`
	Final  map[string][]string  `json:"final_alloc_words"`
	FinalS map[string][]string  `json:"final_scav_words"`
}

func words(b *PallocBits) []string {
	var out []string
	for i := uint(0); i < PallocChunkPages/64; i++ {
		var w uint64
		for j := uint(0); j < 64; j++ {
			if b.PopcntRange(i*64+j, 1) != 0 {
				w |= 1 << j
			}
		}
		out = append(out, "0x"+strconv.FormatUint(w, 16))
	}
	return out
}

// random page-allocator histories: alloc, free, cache refill/alloc/flush, scavenge
func TestOraclePageAlloc(t *testing.T) {
	r := rand.New(rand.NewSource(seed()))
	var cases []paCase
	for k := 0; k < 40; k++ {
		nch := 1 + r.Intn(6)
		init := map[ChunkIdx][]BitRange{}
		scav := map[ChunkIdx][]BitRange{}
		c := paCase{Chunks: nch, Init: map[string][][2]uint{}, Scav: map[string][][2]uint{}}
		for i := 0; i < nch; i++ {
			ci := BaseChunkIdx + ChunkIdx(i)
			key := strconv.Itoa(i)
			init[ci] = []BitRange{}
			scav[ci] = []BitRange{}
			c.Init[key] = [][2]uint{}
			c.Scav[key] = [][2]uint{}
			if r.Intn(3) == 0 {
				at := uint(r.Intn(400))
				n := uint(1 + r.Intn(100))
				init[ci] = append(init[ci], BitRange{at, n})
				c.Init[key] = append(c.Init[key], [2]uint{at, n})
			}
			if r.Intn(2) == 0 { // scavenged ranges must be free pages
				lo := uint(0)
				if len(init[ci]) > 0 {
					lo = init[ci][0].I + init[ci][0].N
				}
				if lo < 500 {
					n := uint(1 + r.Intn(int(PallocChunkPages-lo)))
					scav[ci] = append(scav[ci], BitRange{lo, n})
					c.Scav[key] = append(c.Scav[key], [2]uint{lo, n})
				}
			}
		}
		b := NewPageAlloc(init, scav)
		base := PageBase(BaseChunkIdx, 0)
		type live struct{ a, n uintptr }
		var held []live
		var cache PageCache
		rel := func(a uintptr) int64 {
			if a == 0 {
				return -1
			}
			return int64(a - base)
		}
		for i := 0; i < 300; i++ {
			switch x := r.Intn(100); {
			case x < 40:
				n := uintptr(1 + r.Intn(4))
				if r.Intn(4) == 0 {
					n = uintptr(1 + r.Intn(130))
				}
				if r.Intn(25) == 0 {
					n = uintptr(1 + r.Intn(1200))
				}
				a, s := b.Alloc(n)
				c.Ops = append(c.Ops, op{"alloc", uint64(n), rel(a), uint64(s)})
				if a != 0 {
					held = append(held, live{a, n})
				}
			case x < 75 && len(held) > 0:
				j := r.Intn(len(held))
				h := held[j]
				held[j] = held[len(held)-1]
				held = held[:len(held)-1]
				b.Free(h.a, h.n)
				c.Ops = append(c.Ops, op{"free", uint64(h.n), rel(h.a), 0})
			case x < 80:
				if !cache.Empty() {
					cache.Flush(b)
					c.Ops = append(c.Ops, op{"cache_flush", 0, -1, 0})
					cache = PageCache{}
				}
				cache = b.AllocToCache()
				c.Ops = append(c.Ops, op{"cache_fill", cache.Cache(), rel(cache.Base()), cache.Scav()})
			case x < 95:
				if cache.Empty() {
					continue
				}
				n := uintptr(1 + r.Intn(6))
				a, s := cache.Alloc(n)
				c.Ops = append(c.Ops, op{"cache_alloc", uint64(n), rel(a), uint64(s)})
				if a != 0 {
					held = append(held, live{a, n})
				}
			default:
				n := uintptr((1 + r.Intn(64)) * 8192)
				got := b.Scavenge(n)
				c.Ops = append(c.Ops, op{"scavenge", uint64(n), -1, uint64(got)})
			}
		}
		c.Final = map[string][]string{}
		c.FinalS = map[string][]string{}
		for i := 0; i < nch; i++ {
			d := b.PallocData(BaseChunkIdx + ChunkIdx(i))
			c.Final[strconv.Itoa(i)] = words(d.PallocBits())
			c.FinalS[strconv.Itoa(i)] = words(d.Scavenged())
		}
		FreePageAlloc(b)
		cases = append(cases, c)
	}
	emit(t, "pagealloc", cases)
}

type bitsCase struct {
	Alloc [][2]uint `json:"alloc"`
	Finds [][4]int  `json:"finds"` // npages, searchIdx, found (-1 none), newSearchIdx
	Sum   [3]uint   `json:"summary"`
	Scav  [][2]uint `json:"scavenged"`
	Cands [][5]int  `json:"scavenge_candidates"` // searchIdx, min, max, start, n
}

func TestOraclePallocBits(t *testing.T) {
	r := rand.New(rand.NewSource(seed() + 1))
	var cases []bitsCase
	for k := 0; k < 300; k++ {
		d := new(PallocData)
		var c bitsCase
		for i := r.Intn(40); i >= 0; i-- {
			at := uint(r.Intn(PallocChunkPages))
			n := uint(1 + r.Intn(1+r.Intn(60)))
			if at+n > PallocChunkPages {
				n = PallocChunkPages - at
			}
			d.AllocRange(at, n)
			c.Alloc = append(c.Alloc, [2]uint{at, n})
		}
		for i := r.Intn(6); i > 0; i-- {
			at := uint(r.Intn(PallocChunkPages))
			n := uint(1 + r.Intn(60))
			if at+n > PallocChunkPages {
				n = PallocChunkPages - at
			}
			d.ScavengedSetRange(at, n)
			c.Scav = append(c.Scav, [2]uint{at, n})
		}
		for i := 0; i < 20; i++ {
			n := 1 + r.Intn(1+r.Intn(100))
			s := uint(r.Intn(PallocChunkPages))
			a, ns := d.PallocBits().Find(uintptr(n), s)
			fa := int(a)
			if a == ^uint(0) {
				fa = -1
			}
			nsi := int(ns)
			if ns == ^uint(0) {
				nsi = -1
			}
			c.Finds = append(c.Finds, [4]int{n, int(s), fa, nsi})
		}
		s := d.PallocBits().Summarize()
		c.Sum = [3]uint{s.Start(), s.Max(), s.End()}
		for i := 0; i < 10; i++ {
			min := 1 << r.Intn(7)
			max := min * (1 + r.Intn(6))
			si := uint(r.Intn(PallocChunkPages))
			a, n := d.FindScavengeCandidate(si, uintptr(min), uintptr(max))
			c.Cands = append(c.Cands, [5]int{int(si), min, max, int(a), int(n)})
		}
		cases = append(cases, c)
	}
	emit(t, "pallocbits", cases)
}

type sumRow struct {
	N uintptr `json:"npages"`
	F uint    `json:"find"`
	C string  `json:"bits"`
}

func TestOracleBits(t *testing.T) {
	r := rand.New(rand.NewSource(seed() + 4))
	var rows []sumRow
	for i := 0; i < 4000; i++ {
		x := r.Uint64()
		for j := r.Intn(4); j > 0; j-- {
			x |= r.Uint64()
		}
		n := uint(1 + r.Intn(64))
		rows = append(rows, sumRow{uintptr(n), FindBitRange64(x, n), "0x" + strconv.FormatUint(x, 16)})
	}
	emit(t, "findbitrange64", rows)
}
