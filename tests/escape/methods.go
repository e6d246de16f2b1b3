// Package methods: receivers, embedding, interfaces, and calls that turn out to be known.
package methods

type point struct{ x, y int }

func (p point) add(q point) point { return point{p.x + q.x, p.y + q.y} }
func (p *point) move(dx, dy int)  { p.x += dx; p.y += dy }
func (p *point) self() *point     { return p }
func (p point) addr() *int        { return &p.x }
func (p *point) field() *int      { return &p.x }
func (point) none()               {}
func (*point) unnamed(_ *point)   {}

type circle struct {
	point
	radius float64
	name   *string
}

type wheel struct {
	*circle
	spokes int
}

func promoted(c *circle) *int { c.move(1, 2); return c.field() }

func promotedTwice(w wheel) *point { w.move(1, 1); return w.self() }

func value() int {
	p := point{1, 2}
	q := p.add(point{3, 4})
	q.move(1, 1)
	return q.x
}

func leaks() *int {
	p := point{1, 2}
	return p.field()
}

type shape interface {
	area() float64
	grow(k float64) shape
}

func (c circle) area() float64        { return 3 * c.radius * c.radius }
func (c circle) grow(k float64) shape { c.radius *= k; return c }
func (w *wheel) area() float64        { return float64(w.spokes) }
func (w *wheel) grow(k float64) shape { w.spokes = int(k); return w }

func known() float64 {
	var s shape = circle{radius: 2}
	return s.area()
}

func knownPointer() float64 {
	w := &wheel{spokes: 3}
	var s shape = w
	return s.area()
}

func unknown(s shape) shape { return s.grow(2) }

func sum(ss []shape) (t float64) {
	for _, s := range ss {
		t += s.area()
	}
	return t
}

func useSum() float64 {
	name := "c"
	return sum([]shape{circle{name: &name}, &wheel{spokes: 1}})
}

func methodValue(p *point) func(int, int)       { return p.move }
func methodValueCopy(p point) func(point) point { return p.add }
func methodExpression(p point) point            { f := point.add; return f(p, p) }
func methodExpressionPointer(p *point)          { (*point).move(p, 1, 1) }
func interfaceExpression(s shape) float64       { return shape.area(s) }
func interfaceValue(s shape) func() float64     { return s.area }

type stringer interface{ String() string }

type id int

func (i id) String() string { return "id" }

func show(s stringer) string { return s.String() }
func useShow(n int) string   { return show(id(n)) }

func assert(v interface{}) *point {
	if p, ok := v.(*point); ok {
		return p
	}
	return &point{}
}

func assertShape(s shape) circle { return s.(circle) }

func which(v interface{}) (string, *int) {
	switch v := v.(type) {
	case nil:
		return "nil", nil
	case int:
		return "int", &v
	case *int:
		return "pointer", v
	case point, *point:
		return "point", nil
	case stringer:
		return v.String(), nil
	case error:
		return v.Error(), nil
	case func() *int:
		return "func", v()
	case []*int:
		return "slice", v[0]
	}
	return "other", nil
}

type stack struct {
	items []interface{}
	small [4]interface{}
}

func (s *stack) init()              { s.items = s.small[:0] }
func (s *stack) push(v interface{}) { s.items = append(s.items, v) }
func (s *stack) pop() interface{} {
	v := s.items[len(s.items)-1]
	s.items = s.items[:len(s.items)-1]
	return v
}
func (s *stack) swap(o *stack) { s.items, o.items = o.items, s.items }

func useStack() interface{} {
	var s stack
	s.init()
	s.push(1)
	s.push("two")
	s.push(&point{})
	return s.pop()
}

type tree struct {
	left, right *tree
	key         string
	val         interface{}
}

func (t *tree) insert(key string, val interface{}) *tree {
	if t == nil {
		return &tree{key: key, val: val}
	}
	if key < t.key {
		t.left = t.left.insert(key, val)
	} else {
		t.right = t.right.insert(key, val)
	}
	return t
}

func (t *tree) find(key string) (interface{}, bool) {
	for t != nil {
		if key == t.key {
			return t.val, true
		}
		if key < t.key {
			t = t.left
		} else {
			t = t.right
		}
	}
	return nil, false
}

func (t *tree) walk(f func(*tree)) {
	if t != nil {
		t.left.walk(f)
		f(t)
		t.right.walk(f)
	}
}

func build(keys []string) (n int) {
	var t *tree
	for i, k := range keys {
		t = t.insert(k, i)
	}
	t.walk(func(*tree) { n++ })
	return n
}

type embedded struct{ shape }

func (e embedded) both() float64 { return e.area() + e.grow(1).area() }

func useEmbedded(c circle) float64 { return embedded{c}.both() }

func compare(a, b shape) bool             { return a == b }
func compareMixed(a shape, c circle) bool { return a == shape(c) }

type errorString string

func (e errorString) Error() string { return string(e) }

func fail(s string) error { return errorString(s) }
func failPointer() error  { e := errorString("x"); return &e }
func try() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = r.(error)
		}
	}()
	panic(fail("x"))
}
