package state

import (
	"errors"
	"fmt"
	"testing"
)

func manyPartitions(b *testing.B) (*Store, *Lock) {
	s := newStore(b)
	l := lock(b, s)
	putMany(b, l)
	return s, l
}

// putMany makes 50 tables with 400 partitions of one file each.
func putMany(t testing.TB, l *Lock) {
	t.Helper()
	update(t, l, func(tx *Tx) error {
		for i := range 50 {
			name := fmt.Sprintf("event_number_%d", i)
			if err := tx.PutTable(table(name, tx.Serial())); err != nil {
				return err
			}
			for o := range uint32(400) {
				if err := tx.PutPartition(name, partition(o, 1000)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func BenchmarkLoad20000Partitions(b *testing.B) {
	s, _ := manyPartitions(b)
	b.ReportAllocs()
	for b.Loop() {
		if snap := load(b, s); len(snap.Partitions) != 50 {
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
		update(b, l, func(tx *Tx) error {
			errs := []error{tx.PutTable(table("event_number_7", tx.Serial()))}
			for o := range uint32(20) {
				errs = append(errs, tx.PutPartition("event_number_7", partition(o*3, rows)))
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
	l := lock(b, s)
	var all []*Sealed
	update(b, l, func(tx *Tx) error {
		for i := range 5000 {
			o := write(b, s, []byte(fmt.Sprintf("%01000d", i)), 1)
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
