// Package pointers: where values go, one small function for each way.
package pointers

import "unsafe"

type Shape interface {
	Area() float64
	Scale(k float64) Shape
}

type Sq struct{ w float64 }

func (s Sq) Area() float64         { return s.w * s.w }
func (s Sq) Scale(k float64) Shape { return Sq{s.w * k} }

type Ci struct{ r *float64 }

func (c *Ci) Area() float64         { return 3 * *c.r * *c.r }
func (c *Ci) Scale(k float64) Shape { r := *c.r * k; return &Ci{&r} }

var sink interface{}
var gm = map[string]*int{"a": nil}
var gs = []interface{}{1, "x", &Sq{2}, func() {}}
var gp = new(int)
var gf = func(x *int) *int { return x }

func devirt() float64 {
	var s Shape = Sq{3}
	return s.Area()
}

func total(ss ...Shape) (t float64) {
	for _, s := range ss {
		t += s.Area()
	}
	return
}

func useTotal() float64 {
	r := 2.0
	return total(Sq{1}, &Ci{&r})
}

func esc(x int)     { sink = x }
func esc2(x *int)   { sink = x }
func esc3(s string) { sink = s }
func esc4(s []int)  { sink = s }
func konst() {
	sink = 42
	sink = "hello"
	sink = 1 << 3
	sink = -1
	sink = 'x'
	sink = 1.5
}

func rec(n int, p **int) *int {
	if n == 0 {
		return *p
	}
	return rec(n-1, p)
}

func even(n int, p *int) *int {
	if n == 0 {
		return p
	}
	return odd(n-1, p)
}
func odd(n int, p *int) *int {
	if n == 0 {
		return nil
	}
	return even(n-1, p)
}

type List struct {
	next *List
	val  interface{}
}

func (l *List) Push(v interface{}) *List { return &List{l, v} }
func (l *List) Len() (n int) {
	for ; l != nil; l = l.next {
		n++
	}
	return
}

func lists() int {
	var l *List
	for i := 0; i < 3; i++ {
		l = l.Push(i)
	}
	return l.Len()
}

type Buf struct {
	b   []byte
	arr [64]byte
}

func (b *Buf) Cut(n int)   { b.b = b.b[:n] }
func (b *Buf) Init()       { b.b = b.arr[:] }
func (b *Buf) Str() string { return string(b.b) }

func conv(s string) int     { b := []byte(s); return len(b) }
func conv2(s string) []byte { return []byte(s) }
func conv3(b []byte) string { return string(b) }
func conv4(r []rune) string { return string(r) }

func ptr(x uintptr) unsafe.Pointer { return unsafe.Pointer(x) }
func bits(f float64) uint64        { return *(*uint64)(unsafe.Pointer(&f)) }

func named(x int) (p *int, err error) {
	p = &x
	return
}

func deferLoop(n int) {
	for i := 0; i < n; i++ {
		defer func(k int) { println(k) }(i)
	}
}
func deferTop(p *int) {
	defer use(p)
	defer println(*p)
	go use(p)
}

//go:noinline
func use(p *int) { *p = 1 }

func methodValue(b *Buf) func() string       { return b.Str }
func methodExpr(b *Buf) string               { f := (*Buf).Str; return f(b) }
func callParam(f func(*int) int, p *int) int { return f(p) }
func callGlobal(p *int) *int                 { return gf(p) }
func arr() [3]*int                           { x := 1; return [3]*int{&x} }
func big() int                               { var a [200000]int; b := make([]int, 100000); return a[3] + b[2] }
func huge() *[1 << 21]int                    { var a [1 << 21]int; return &a }
func chanf(c chan *int)                      { x := 1; c <- &x; y := <-c; println(*y) }
func sel(a, b chan *int) *int {
	select {
	case v := <-a:
		return v
	case v, ok := <-b:
		if ok {
			return v
		}
	default:
	}
	return nil
}
func labels(n int) *int {
	var p *int
	i := 0
L:
	x := i
	p = &x
	i++
	if i < n {
		goto L
	}
	return p
}
func capture() int {
	a, b, c := 1, 2, 3
	f := func() int { return a + b }
	g := func() { c++ }
	g()
	return f() + c
}
func nested() func() func() *int {
	x := 0
	return func() func() *int {
		y := x
		return func() *int { return &y }
	}
}
func panics(n int) int {
	if n < 0 {
		panic("negative")
	}
	if n > 100 {
		panic(n)
	}
	return n
}
func recovers() (err interface{}) {
	defer func() { err = recover() }()
	return nil
}
func swtch(x interface{}) *int {
	switch v := x.(type) {
	case nil:
		return nil
	case *int:
		return v
	case int:
		return &v
	case fmtStringer:
		println(v.String())
	default:
		sink = v
	}
	return nil
}

type fmtStringer interface{ String() string }

func assertS(s Shape) *Ci {
	c, ok := s.(*Ci)
	if ok {
		return c
	}
	return s.(*Ci)
}
func assertI(s Shape) fmtStringer { return s.(fmtStringer) }
func cmpI(s Shape, q Sq) bool     { return s == Shape(q) }
func cmpI2(s Shape, q Sq) bool    { return s == q }
func cat(a, b, c string) string   { return a + b + "x" + c }
func cat2(a, b string) int        { s := a + b; return len(s) }
func mk(n int) map[int][]int      { m := make(map[int][]int, n); m[1] = append(m[1], n); return m }
func variadic(xs ...int) []int    { return xs }
func callv() int                  { return len(variadic(1, 2, 3)) + len(variadic()) }
func structval(t List) *List      { return t.next }
func mapiter(m map[*int]*int) *int {
	for k := range m {
		return k
	}
	return nil
}
func rng(a [4]*int) *int {
	for _, p := range a {
		return p
	}
	return nil
}
func rngs(a []*int) *int {
	for _, p := range a {
		return p
	}
	return nil
}
func rngp(a *[4]*int) *int {
	for _, p := range a {
		return p
	}
	return nil
}
func multi(p, q *int) (a, b *int) { a, b = q, p; return }
func callMulti(p, q *int) *int    { _, b := multi(p, q); return b }
func pass(p, q *int) (*int, *int) { return multi(p, q) }
func sum2(a, b *int) int          { return *a + *b }
func fg(p, q *int) int            { return sum2(multi(p, q)) }
