// Package loops: what outlives an iteration, labels and gotos, ranges over everything.
package loops

type node struct {
	next *node
	val  int
}

var global *node
var globals []*int

func list(n int) *node {
	var head *node
	for i := 0; i < n; i++ {
		head = &node{head, i}
	}
	return head
}

func perIteration(n int) (s int) {
	for i := 0; i < n; i++ {
		p := &node{val: i}
		s += p.val
	}
	return s
}

func outlives(n int) int {
	var last *node
	for i := 0; i < n; i++ {
		p := node{val: i}
		last = &p
	}
	return last.val
}

func rangeValue(xs []int) {
	for _, x := range xs {
		globals = append(globals, &x)
	}
}

func rangeIndex(xs []int) *int {
	var p *int
	for i := range xs {
		p = &xs[i]
	}
	return p
}

func rangeArray(xs [4]*int) (p *int) {
	for _, p = range xs {
	}
	return
}

func rangePointer(xs *[4]*int) *int {
	for _, p := range xs {
		return p
	}
	return nil
}

func rangeMap(m map[*int]*node) (*int, *node) {
	for k, v := range m {
		return k, v
	}
	return nil, nil
}

func rangeString(s string) (n int) {
	for i, r := range s {
		n += i * int(r)
	}
	return n
}

func rangeBytes(s string) (n int) {
	for _, b := range []byte(s) {
		n += int(b)
	}
	return n
}

func rangeChannel(c chan *node) *node {
	for n := range c {
		if n.val > 3 {
			return n
		}
	}
	return nil
}

func backwards(n int) int {
	var p *int
	i := 0
again:
	x := i
	p = &x
	i++
	if i < n {
		goto again
	}
	return *p
}

func forwards(n int) int {
	x := 1
	p := &x
	if n > 3 {
		goto end
	}
	x = 2
end:
	return *p
}

func labelled(grid [][]*int) *int {
outer:
	for _, row := range grid {
		for _, p := range row {
			if p == nil {
				continue outer
			}
			if *p > 0 {
				break outer
			}
			return p
		}
	}
	return nil
}

func buffer(n int) int {
	b := make([]byte, 64)
	for i := 0; i < n; i++ {
		b[i%64]++
	}
	return int(b[0])
}

func bufferPerIteration(n int) (s int) {
	for i := 0; i < n; i++ {
		b := make([]byte, 16)
		b[0] = byte(i)
		s += len(b)
	}
	return s
}

func grown(n int) []*node {
	var out []*node
	for i := 0; i < n; i++ {
		out = append(out, &node{val: i})
	}
	return out
}

func matrix(n int) [][]int {
	m := make([][]int, n)
	for i := range m {
		m[i] = make([]int, n)
	}
	return m
}

func swapEnds(xs []*int) {
	for i, j := 0, len(xs)-1; i < j; i, j = i+1, j-1 {
		xs[i], xs[j] = xs[j], xs[i]
	}
}

func reverse(n *node) *node {
	var prev *node
	for n != nil {
		n.next, prev, n = prev, n, n.next
	}
	return prev
}

func remember(n *node) {
	for ; n != nil; n = n.next {
		if n.val == 7 {
			global = n
		}
	}
}

func multiplex(a, b <-chan *node, quit chan struct{}) (out []*node) {
	for {
		select {
		case n := <-a:
			out = append(out, n)
		case n, ok := <-b:
			if !ok {
				return out
			}
			out = append(out, n)
		case <-quit:
			return
		}
	}
}

func sends(c chan<- *int, n int) {
	for i := 0; i < n; i++ {
		v := i
		c <- &v
	}
}

func cache(n int) (hits int) {
	seen := make(map[int]*node)
	for i := 0; i < n; i++ {
		if e, ok := seen[i%10]; ok {
			e.val++
			hits++
			continue
		}
		seen[i%10] = &node{val: i}
	}
	return hits
}

func counts(words []string) map[string]int {
	m := map[string]int{}
	for _, w := range words {
		m[w]++
	}
	return m
}

func constants() int {
	const n = 4
	var a [n]int
	b := make([]int, n*2)
	for i := range a {
		b[i] = i
	}
	return len(b)
}

func dead(n int) *int {
	const debug = false
	if debug {
		x := n
		return &x
	}
	switch {
	case debug:
		return &n
	default:
		return nil
	}
}

func concatenated(words []string) string {
	s := ""
	for _, w := range words {
		s += w + ","
	}
	return s
}

func infinite() {
	for {
		x := new(int)
		if *x > 0 {
			break
		}
	}
}
