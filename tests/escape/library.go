// Package library: calls of the library, inlined and not.
package library

import (
	"bufio"
	"bytes"
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var sink interface{}

func e1() error                { return errors.New("x") }
func e2(err error) bool        { return errors.Is(err, io.EOF) }
func p1(x int)                 { fmt.Println("x", x) }
func p2(x *int) string         { return fmt.Sprintf("%d %v", *x, x) }
func p3(w io.Writer, b []byte) { fmt.Fprintf(w, "%s", b) }
func s1(a, b string) bool      { return strings.Contains(a, b) || strings.HasPrefix(a, b) }
func s2(xs []string) string {
	var sb strings.Builder
	for _, x := range xs {
		sb.WriteString(x)
		sb.WriteByte(' ')
	}
	return sb.String()
}
func s3(x string) []string { return strings.Split(strings.TrimSpace(x), ",") }
func b1() string {
	var b bytes.Buffer
	b.WriteString("hello")
	fmt.Fprintf(&b, "%d", 3)
	return b.String()
}
func b2(r io.Reader) (string, error) {
	br := bufio.NewReader(r)
	return br.ReadString('\n')
}
func so(xs []int) { sort.Ints(xs); sort.Slice(xs, func(i, j int) bool { return xs[i] < xs[j] }) }

type byLen []string

func (b byLen) Len() int           { return len(b) }
func (b byLen) Less(i, j int) bool { return len(b[i]) < len(b[j]) }
func (b byLen) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }
func so2(xs []string)              { sort.Sort(byLen(xs)) }

type counter struct {
	mu sync.Mutex
	n  int64
	m  map[string]int
}

func (c *counter) inc(k string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.m[k]++
	atomic.AddInt64(&c.n, 1)
}
func (c *counter) get() int64 { return atomic.LoadInt64(&c.n) }
func wg(n int) {
	var w sync.WaitGroup
	for i := 0; i < n; i++ {
		w.Add(1)
		go func(i int) {
			defer w.Done()
			sink = i
		}(i)
	}
	w.Wait()
}
func once() func() {
	var o sync.Once
	return func() { o.Do(func() { println("once") }) }
}
func conv(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, fmt.Errorf("bad %q: %w", s, err)
	}
	return n, nil
}
func it(n int) string       { return strconv.Itoa(n) + strconv.Quote("x") }
func lst() *list.List       { l := list.New(); l.PushBack(1); l.PushFront("x"); return l }
func lst2() int             { l := list.New(); l.PushBack(1); return l.Len() }
func tm() time.Duration     { t := time.Now(); return time.Since(t) }
func tm2() *time.Timer      { return time.AfterFunc(time.Second, func() {}) }
func tm3() <-chan time.Time { return time.After(3 * time.Millisecond) }
func tick()                 { t := time.NewTicker(time.Second); defer t.Stop(); <-t.C }
func ctx(c context.Context) error {
	c, cancel := context.WithTimeout(c, time.Second)
	defer cancel()
	select {
	case <-c.Done():
		return c.Err()
	default:
	}
	return nil
}
func mth(x float64) float64 { return math.Sqrt(x) + math.Max(x, 1) + math.Abs(x)*math.Pi }
func files(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
func pool() interface{} {
	p := sync.Pool{New: func() interface{} { return new(bytes.Buffer) }}
	b := p.Get().(*bytes.Buffer)
	b.Reset()
	p.Put(b)
	return nil
}
func rd(s string) io.Reader { return strings.NewReader(s) }
func scan(s string) int {
	sc := bufio.NewScanner(strings.NewReader(s))
	n := 0
	for sc.Scan() {
		n += len(sc.Text())
	}
	return n
}
func bf(b []byte) []byte { return bytes.TrimSpace(bytes.ToUpper(b)) }
func fields(s string) map[string]int {
	m := make(map[string]int)
	for _, f := range strings.Fields(s) {
		m[f]++
	}
	return m
}
func main1() {
	defer fmt.Println("bye")
	go fmt.Println("hi")
	fmt.Print(e1(), s2(nil))
	fmt.Fprintln(os.Stderr, os.Args)
}

var table = map[string]*int{"a": nil, "b": new(int), "c": nil, "d": nil, "e": nil, "f": nil, "g": nil}
var errBad = errors.New("bad")
var first = second + 1
var second = third()
var lazy = func() int { return first }
var shapes = []interface{}{1, "two", []int{3}, map[int]int{4: 4}, fmt.Sprint(5)}

func third() int { return len(table) }

func lg(x int) { log.Printf("x = %d", x); log.Println(x) }
func mp() int  { var m sync.Map; m.Store("a", 1); v, _ := m.Load("a"); return v.(int) }
