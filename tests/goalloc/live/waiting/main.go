// Goroutines that wait, one or two in each way there is; then their profile, as runtime/pprof writes it.
package main

import (
	"os"
	"runtime/pprof"
	"sync"
	"time"
)

func send(c chan int)           { c <- 1 }
func sendNil(c chan int)        { c <- 1 }
func receive(c chan int) int    { return <-c }
func receiveNil(c chan int) int { return <-c }
func choose(a, b chan int) {
	select {
	case <-a:
	case b <- 1:
	}
}
func chooseNone()                { select {} }
func nap()                       { time.Sleep(time.Hour) }
func wait(group *sync.WaitGroup) { group.Wait() }
func lock(mutex *sync.Mutex)     { mutex.Lock() }

func main() {
	var mutex sync.Mutex
	var group sync.WaitGroup
	mutex.Lock()
	group.Add(1)
	a, b, c := make(chan int), make(chan int), make(chan int)
	go send(a)
	go send(a)
	go sendNil(nil)
	go receive(b)
	go receiveNil(nil)
	go choose(c, c)
	go chooseNone()
	go nap()
	go wait(&group)
	go lock(&mutex)
	time.Sleep(100 * time.Millisecond)
	pprof.Lookup("goroutine").WriteTo(os.Stdout, 0)
}
