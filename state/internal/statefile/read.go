package statefile

import (
	"errors"

	"reconcile/state"
	"reconcile/state/internal/boltfile"
	"reconcile/state/internal/kv"
)

// Content is everything that a file holds, taken out of it while it was locked.
type Content struct {
	meta    Meta
	entries [kv.BucketCount][]kv.Entry
}

// Read takes everything that a file holds, verified, out of it. The zero Content is that
// of no state.
func (s Format) Read(v *boltfile.View, c *Content) error {
	meta, err := s.ReadMeta(v)
	if err != nil {
		return err
	}
	k := collector{content: c}
	k.expect(meta)
	c.meta, err = s.Verify(v, k.keep)
	return err
}

// Decode makes a Snapshot of what was read.
func (s Format) Decode(c *Content) (*state.Snapshot, error) {
	snap, err := state.Decode(&kv.Content{Lineage: c.meta.Lineage, Serial: c.meta.Serial, Program: c.meta.Program, Entries: c.entries})
	if err == nil && snap.Serial > 0 {
		snap.Raise = state.RaiseOf(c.meta.Format, s.Newest())
	}
	var bad *kv.RecordError
	if errors.As(err, &bad) {
		return nil, s.damage("%v", bad)
	}
	return snap, err
}

// collector copies entries out of the mapping, many into one allocation.
type collector struct {
	content *Content
	arena   []byte
}

// expect makes room for as many entries as the file says it has, within reason.
func (c *collector) expect(meta Meta) {
	for b := range c.content.entries {
		c.content.entries[b] = make([]kv.Entry, 0, min(meta.Tallies[kv.Bucket(b).String()].Count, 1<<20))
	}
}

func (c *collector) keep(b kv.Bucket, e kv.Entry) {
	c.content.entries[b] = append(c.content.entries[b], kv.Entry{Key: c.copy(e.Key), Payload: c.copy(e.Payload)})
}

func (c *collector) copy(b []byte) []byte {
	if len(b) > cap(c.arena)-len(c.arena) {
		c.arena = make([]byte, 0, max(len(b), 256<<10))
	}
	at := len(c.arena)
	c.arena = append(c.arena, b...)
	return c.arena[at:len(c.arena):len(c.arena)]
}
