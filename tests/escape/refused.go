// Package refused: what is outside the subset, what uses it, and what stands beside it.
package refused

import (
	"reflect"
	"sync/atomic"
)

func max[T int | float64](a, b T) T {
	if a > b {
		return a
	}
	return b
}

type pair[K, V any] struct {
	key K
	val V
}

func (p *pair[K, V]) get() V { return p.val }

func usesMax(a int) int { return max(a, 1) }

func usesUser(a int) int { return usesMax(a) }

func usesPair(p *pair[string, int]) int { return p.get() }

func usesReflect(v interface{}) string { return reflect.TypeOf(v).Name() }

func usesPointer(k *int) { var p atomic.Pointer[int]; p.Store(k) }

var zero = max(1, 0)

func beside(p *int) *int { return p }

func usesBeside(p *int) int { return *beside(p) }
