// Complete binary trees, a goroutine a P, built top down as the workload binary-trees does it, for collector.py.
//
// Argument: the depth. Prints seconds.
package main

import (
	"fmt"
	"math/bits"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

type node struct {
	left, right *node
	key         int
}

var roots [64]*node

func build(root **node, depth int) {
	for n := 1; n < 1<<depth; n++ {
		slot := root
		for bit := bits.Len(uint(n)) - 2; bit >= 0; bit-- {
			if n>>bit&1 == 1 {
				slot = &(*slot).right
			} else {
				slot = &(*slot).left
			}
		}
		*slot = &node{key: n}
	}
}

func main() {
	depth, _ := strconv.Atoi(os.Args[1])
	var wg sync.WaitGroup
	began := time.Now()
	for i := 0; i < runtime.GOMAXPROCS(0); i++ {
		wg.Add(1)
		go func(i int) {
			build(&roots[i], depth)
			wg.Done()
		}(i)
	}
	wg.Wait()
	fmt.Println(time.Since(began).Seconds())
}
