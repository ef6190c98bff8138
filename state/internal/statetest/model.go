package statetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"reconcile/state"
)

// EmptyModel returns what a state without records is compared with.
func EmptyModel() *state.Snapshot {
	return &state.Snapshot{Program: "0.1.0", Tables: map[string]*state.Table{}, Partitions: map[string][]*state.Partition{},
		Dumps: map[int64]*state.Dump{}, Settings: map[string][]byte{}}
}

// RandomOp puts or deletes something at random, in a model, too.
func RandomOp(tx *state.Tx, r *rand.Rand, m *state.Snapshot) error {
	name := string(rune('a' + r.IntN(5)))
	ordinal := uint32(r.IntN(40))
	at, found := slices.BinarySearchFunc(m.Partitions[name], ordinal, func(p *state.Partition, o uint32) int { return int(p.Ordinal) - int(o) })
	switch r.IntN(9) {
	case 0:
		m.Tables[name] = Table(name, r.Uint64N(1000))
		return tx.PutTable(m.Tables[name])
	case 1:
		if r.IntN(4) > 0 {
			return nil
		}
		delete(m.Tables, name)
		delete(m.Partitions, name)
		return tx.DeleteTable(name)
	case 2:
		if found {
			m.Partitions[name] = slices.Delete(slices.Clone(m.Partitions[name]), at, at+1)
		}
		if len(m.Partitions[name]) == 0 {
			delete(m.Partitions, name)
		}
		return tx.DeletePartition(name, ordinal)
	case 3:
		id := int64(r.IntN(9) - 4)
		m.Dumps[id] = &state.Dump{ID: id, Digest: fmt.Sprint(r.Uint64())}
		return tx.PutDump(m.Dumps[id])
	case 4:
		id := int64(r.IntN(9) - 4)
		delete(m.Dumps, id)
		return tx.DeleteDump(id)
	case 5:
		m.Settings[name] = bytes.Repeat([]byte{7}, r.IntN(9000))
		return tx.PutSetting(name, m.Settings[name])
	case 6:
		m.Mapping = nil
		if r.IntN(2) == 0 {
			m.Mapping = &state.Mapping{Dump: r.Int64N(100)}
		}
		return tx.SetMapping(m.Mapping)
	}
	p := Partition(ordinal, r.Int64N(1000))
	if found {
		m.Partitions[name] = slices.Clone(m.Partitions[name])
		m.Partitions[name][at] = p
	} else {
		m.Partitions[name] = slices.Insert(slices.Clone(m.Partitions[name]), at, p)
	}
	return tx.PutPartition(name, p)
}

// PutMany makes 50 tables with 400 partitions of one file each.
func PutMany(t testing.TB, l *state.Lock) {
	t.Helper()
	Update(t, l, func(tx *state.Tx) error {
		for i := range 50 {
			name := fmt.Sprintf("event_number_%d", i)
			if err := tx.PutTable(Table(name, tx.Serial())); err != nil {
				return err
			}
			for o := range uint32(400) {
				if err := tx.PutPartition(name, Partition(o, 1000)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
