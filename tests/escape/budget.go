// Package budget: what is inlined, what is just too much, what never is.
package budget

var n int
var sink interface{}

func leaf(a, b int) int { return a*b + a/b - a%b }

func caller(a int) int { return leaf(a, 1) + leaf(a, 2) }

func ofCaller(a int) int { return caller(a) + caller(a+1) }

//go:noinline
func never(a int) int { return a + 1 }

func oneCall(a int) int { return never(a) }

func twoCalls(a int) int { return never(a) + never(a+1) }

func panics(a int) int {
	if a < 0 {
		panic("negative")
	}
	return a
}

func panicsWith(a int) int {
	if a < 0 {
		panic(a)
	}
	return a
}

func loops(a int) (s int) {
	for i := 0; i < a; i++ {
		s += i
	}
	return s
}

func ranges(xs []int) (s int) {
	for _, x := range xs {
		s += x
	}
	return s
}

func switches(a int) string {
	switch a {
	case 1, 2:
		return "small"
	case 3:
		return "three"
	}
	return "many"
}

func long(a, b, c, d int) int {
	a, b = b*c+d, a*d-c
	c, d = a*b+c, b*a-d
	a, b = b*c+d, a*d-c
	c, d = a*b+c, b*a-d
	return a + b + c + d
}

func tooLong(a, b, c, d int) int {
	a, b = b*c+d, a*d-c
	c, d = a*b+c, b*a-d
	a, b = b*c+d, a*d-c
	c, d = a*b+c, b*a-d
	a, b = b*c+d, a*d-c
	c, d = a*b+c, b*a-d
	return a + b + c + d
}

func recursion(a int) int {
	if a == 0 {
		return 0
	}
	return recursion(a - 1)
}

func ping(a int) int {
	if a == 0 {
		return 0
	}
	return pong(a - 1)
}

func pong(a int) int { return ping(a) + 1 }

func recovers() { recover() }
func defers()   { defer never(1) }
func starts()   { go never(1) }

func literal() func() int { return func() int { return n } }

func callsLiteral() int { return literal()() }

func selects(c chan int) int {
	select {
	case v := <-c:
		return v
	default:
		return 0
	}
}

func two() (int, *int)       { x := 1; return x, &x }
func usesTwo() *int          { _, p := two(); return p }
func named() (p *int)        { p = new(int); return }
func usesNamed() int         { return *named() }
func variadic(xs ...int) int { return len(xs) }
func usesVariadic() int      { return variadic() + variadic(1) + variadic(1, 2) }

type big struct{ a, b, c, d, e, f, g, h int }

func makeBig(a int) big           { return big{a: a, h: a} }
func usesBig() int                { return makeBig(3).h }
func pointerToBig() *big          { return &big{} }
func keepsBig()                   { sink = makeBig(1) }
func keepsPointer()               { sink = pointerToBig() }
func huge() [1 << 16]int          { return [1 << 16]int{} }
func hugePointer() *[1 << 20]byte { return new([1 << 20]byte) }
func justSmall() int              { b := make([]byte, 1<<16); return len(b) }
func justLarge() int              { b := make([]byte, 1<<16+1); return len(b) }

func generic(a int) int {
	type local struct{ v int }
	l := local{a}
	return l.v
}

func gotos(a int) int {
again:
	if a > 0 {
		a--
		goto again
	}
	return a
}

func constant() int {
	if false {
		return never(1) + never(2) + never(3)
	}
	return 1
}

func empty()            {}
func usesEmpty()        { empty(); empty() }
func ignores(_ int) int { return 1 }
func blank() int        { return ignores(n) + ignores(never(2)) }
func shadow(n int) int  { n, m := n+1, n; return n + m }
