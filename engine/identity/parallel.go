package identity

import (
	"sync"
	"sync/atomic"
)

// parallel calls do(0) to do(n-1) from so many goroutines and waits for all of
// them.
func parallel(workers, n int, do func(i int)) {
	if workers = min(n, workers); workers < 2 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}
