package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"reconcile/engine/enginetest"
	"reconcile/engine/model"
	"reconcile/sinks"
	"reconcile/state"
)

// countingState counts how often the holders of the lock read a state as a whole.
type countingState struct {
	state.Backend
	loads atomic.Int64
}

func (b *countingState) Lock(ctx context.Context, holder state.Holder, wait time.Duration) (state.Session, error) {
	s, err := b.Backend.Lock(ctx, holder, wait)
	return &countingSession{s, b}, err
}

type countingSession struct {
	state.Session
	of *countingState
}

func (s *countingSession) Load(ctx context.Context) (*state.Snapshot, error) {
	s.of.loads.Add(1)
	return s.Session.Load(ctx)
}

// countingSink counts how often current.json is read.
type countingSink struct {
	sinks.Sink
	reads int
}

func (s *countingSink) Current(ctx context.Context) (*sinks.Current, string, error) {
	s.reads++
	return s.Sink.Current(ctx)
}

// manyTables is the entries of a dump for so many tables.
func manyTables(n, event int) (entries []model.Entry) {
	for i := range n {
		entries = append(entries, more(fmt.Sprintf("t%03d", i), avroPart("event_id user_id", row(event, 10))))
	}
	return entries
}

// How often an apply reads what is of all tables does not depend on how many tables it
// commits.
func TestCostOfManyTables(t *testing.T) {
	loads, reads := map[int][]int64{}, map[int][]int{}
	for _, n := range []int{3, 12} {
		h := newHarness(t, lakeTables)
		for night := range 3 {
			h.arrive(dumpOf(int64(night+1), manyTables(n, night+1)...))
			e := h.engine()
			s := &countingState{Backend: e.store.Backend}
			e.store.Backend = s
			root := filepath.Join(h.dir, "lake")
			sink := &countingSink{Sink: e.lake.Sink(root)}
			e.lake.Use(root, sink)
			res, err := enginetest.Apply(t.Context(), e)
			if err != nil || len(res.Tables) != n {
				t.Fatal(err, res)
			}
			loads[n] = append(loads[n], s.loads.Load())
			reads[n] = append(reads[n], sink.reads)
		}
		h.check()
	}
	if few, many := loads[3], loads[12]; fmt.Sprint(few) != fmt.Sprint(many) {
		t.Errorf("the state is read %d times for 3 tables, and %d times for 12", few, many)
	}
	if few, many := reads[3], reads[12]; fmt.Sprint(few) != fmt.Sprint(many) {
		t.Errorf("current.json is read %d times for 3 tables, and %d times for 12", few, many)
	}
}
