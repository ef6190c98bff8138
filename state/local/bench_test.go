package local

import (
	"errors"
	"fmt"
	"testing"

	"reconcile/state"
	"reconcile/state/internal/statetest"
)

func manyPartitions(b *testing.B) (*state.Store, *state.Lock) {
	s := newStore(b)
	l := statetest.Lock(b, s)
	statetest.PutMany(b, l)
	return s, l
}

func BenchmarkLoad20000Partitions(b *testing.B) {
	s, _ := manyPartitions(b)
	b.ReportAllocs()
	for b.Loop() {
		if snap := statetest.Load(b, s); len(snap.Partitions) != 50 {
			b.Fatal("not all there")
		}
	}
}

// The usual commit: one table, some partitions, in a large state.
func BenchmarkUpdate20Of20000Partitions(b *testing.B) {
	_, l := manyPartitions(b)
	rows := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		rows++
		statetest.Update(b, l, func(tx *state.Tx) error {
			errs := []error{tx.PutTable(statetest.Table("event_number_7", tx.Serial()))}
			for o := range uint32(20) {
				errs = append(errs, tx.PutPartition("event_number_7", statetest.Partition(o*3, rows)))
			}
			return errors.Join(errs...)
		})
	}
}

func BenchmarkFirstUpdate20000Partitions(b *testing.B) {
	for b.Loop() {
		manyPartitions(b)
	}
}

func BenchmarkOpenSmallObject(b *testing.B) {
	s := newStore(b)
	l := statetest.Lock(b, s)
	var all []*state.Sealed
	statetest.Update(b, l, func(tx *state.Tx) error {
		for i := range 5000 {
			o := statetest.Write(b, s, []byte(fmt.Sprintf("%01000d", i)), 1)
			all = append(all, o)
			if err := tx.PutObject(o); err != nil {
				return err
			}
		}
		return nil
	})
	i := 0
	for b.Loop() {
		o, err := s.OpenObject(b.Context(), all[i%len(all)].Ref)
		if err != nil || o.Size() != 1000 {
			b.Fatal(err)
		}
		i += 37
	}
}
