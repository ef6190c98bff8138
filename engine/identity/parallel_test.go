package identity

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestParallelStartsSoManyGoroutines(t *testing.T) {
	for _, workers := range []int{0, 1, 2, 5} {
		var now, most atomic.Int64
		var mu sync.Mutex
		var did []int
		all := make(chan struct{})
		parallel(workers, 9, func(i int) {
			n := now.Add(1)
			defer now.Add(-1)
			mu.Lock()
			did = append(did, i)
			most.Store(max(most.Load(), n))
			if len(did) == max(workers, 1) {
				close(all)
			}
			mu.Unlock()
			if workers < 2 {
				return
			}
			select {
			case <-all: // nobody goes on before as many are at work
			case <-time.After(10 * time.Second):
			}
		})
		slices.Sort(did)
		if most.Load() != int64(max(workers, 1)) || !slices.Equal(did, []int{0, 1, 2, 3, 4, 5, 6, 7, 8}) {
			t.Errorf("of %d goroutines %d were at work at a time; they did %v", workers, most.Load(), did)
		}
	}
}
