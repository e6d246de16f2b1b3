// Package closures: function literals, what they capture and how long it lives.
package closures

var keep func()
var kept []func() int

func counter() func() int {
	n := 0
	return func() int { n++; return n }
}

func constant(n int) func() int { return func() int { return n } }

func called(n int) int { return func(k int) int { return n + k }(2) }

func stored(n int) {
	f := func() { println(n) }
	keep = f
}

func notStored(n int) {
	f := func() { println(n) }
	f()
	f()
}

func reassigned(n int) func() {
	f := func() { println(n) }
	f = func() { println(-n) }
	return f
}

func inLoop(n int) {
	for i := 0; i < n; i++ {
		kept = append(kept, func() int { return i })
	}
}

func inLoopCopied(n int) {
	for i := 0; i < n; i++ {
		i := i
		kept = append(kept, func() int { return i })
	}
}

func large() func() byte {
	var a [200]byte
	return func() byte { return a[3] }
}

func twice(f func(int) int, n int) int { return f(f(n)) }

func useTwice(k int) int { return twice(func(n int) int { return n + k }, 1) }

func compose(f, g func(int) int) func(int) int { return func(n int) int { return f(g(n)) } }

func useCompose() int {
	return compose(func(n int) int { return n + 1 }, func(n int) int { return n * 2 })(5)
}

func recursive(n int) int {
	var fib func(int) int
	fib = func(n int) int {
		if n < 2 {
			return n
		}
		return fib(n-1) + fib(n-2)
	}
	return fib(n)
}

func deferred(p *int) (r int) {
	defer func() { r += *p }()
	return 1
}

func deferredInLoop(ps []*int) {
	for _, p := range ps {
		defer func() { *p = 0 }()
	}
}

func started(p *int) {
	done := make(chan bool)
	go func() { *p = 1; done <- true }()
	<-done
}

func startedWith(p *int, n int) { go worker(p, n) }

//go:noinline
func worker(p *int, n int) { *p += n }

func addressTaken() *int {
	x := 1
	f := func() *int { return &x }
	return f()
}

func deep() func() func() func() int {
	a := 1
	return func() func() func() int {
		b := a
		return func() func() int {
			c := a + b
			return func() int { return a + b + c }
		}
	}
}

type handler struct {
	f    func(string) error
	next *handler
}

func (h *handler) add(f func(string) error) *handler { return &handler{f, h} }

func chain(name string) *handler {
	var h *handler
	h = h.add(func(s string) error { println(name, s); return nil })
	return h.add(func(s string) error { return nil })
}

func sorted(xs []int, less func(a, b int) bool) {
	for i := range xs {
		for j := i; j > 0 && less(xs[j], xs[j-1]); j-- {
			xs[j], xs[j-1] = xs[j-1], xs[j]
		}
	}
}

func useSorted(xs []int) int {
	n := 0
	sorted(xs, func(a, b int) bool { n++; return a < b })
	return n
}

func result() (f func() int) {
	x := 2
	f = func() int { return x }
	x = 3
	return
}

func table() map[string]func(int) int {
	return map[string]func(int) int{
		"twice": func(n int) int { return 2 * n },
		"next":  func(n int) int { return n + 1 },
	}
}

func selfReference() {
	var f func()
	f = func() { keep = f }
	f()
}

func conditional(b bool) func() int {
	x, y := 1, 2
	if b {
		return func() int { return x }
	}
	return func() int { return y }
}

func methodValueIn(h *handler) func(func(string) error) *handler { return h.add }

func byReference() int {
	total := 0
	add := func(n int) { total += n }
	for i := 0; i < 4; i++ {
		add(i)
	}
	return total
}
