package state

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"reconcile/state/internal/kv"
)

// Decode makes a Snapshot of what a state holds. The error is a *kv.RecordError where a
// record is not what was ever written.
func Decode(c *kv.Content) (*Snapshot, error) {
	mode, err := kv.DecMode()
	if err != nil {
		return nil, err
	}
	d := &decoder{content: c, mode: mode, snap: &Snapshot{
		Lineage: c.Lineage, Serial: c.Serial, Program: c.Program,
		Tables:     make(map[string]*Table, len(c.Entries[kv.Tables])),
		Partitions: make(map[string][]*Partition, len(c.Entries[kv.Tables])),
		Dumps:      make(map[int64]*Dump, len(c.Entries[kv.Dumps])),
		Settings:   map[string][]byte{}, Facts: newFacts(),
	}}
	for _, step := range []func() error{d.tables, d.partitions, d.dumps, d.mapping, d.holds, d.publishes, d.settings, d.inline} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return d.snap, nil
}

// decoder turns entries into records. That a record stands under its own
// key is checked too: the snapshot is sorted by what the records say.
type decoder struct {
	content *kv.Content
	mode    cbor.DecMode
	snap    *Snapshot
}

// records decodes the entries of a bucket into one allocation.
func records[T any](d *decoder, b kv.Bucket, use func(key []byte, record *T) bool) error {
	return recordsBy(d, b, func(payload []byte, record *T) error { return d.mode.Unmarshal(payload, record) }, use)
}

func recordsBy[T any](d *decoder, b kv.Bucket, read func(payload []byte, record *T) error, use func(key []byte, record *T) bool) error {
	all := make([]T, len(d.content.Entries[b]))
	for i, e := range d.content.Entries[b] {
		if err := read(e.Payload, &all[i]); err != nil {
			return &kv.RecordError{Bucket: b, Key: e.Key, Err: err}
		}
		if !use(e.Key, &all[i]) {
			return &kv.RecordError{Bucket: b, Key: e.Key, Err: errors.New("it stands under another key than its own")}
		}
	}
	return nil
}

func (d *decoder) tables() error {
	read := func(payload []byte, t *Table) error { return readTable(d.mode, payload, t) }
	return recordsBy(d, kv.Tables, read, func(key []byte, t *Table) bool {
		d.snap.Tables[t.Name] = t
		return string(key) == t.Name
	})
}

func (d *decoder) partitions() error {
	var name string // one string for all partitions of a table
	var list []*Partition
	var r partitionReader
	read := func(payload []byte, p *Partition) error {
		if r.read(payload, p) {
			return nil
		}
		*p = Partition{}
		return d.mode.Unmarshal(payload, p)
	}
	err := recordsBy(d, kv.Partitions, read, func(key []byte, p *Partition) bool {
		table, ordinal, ok := splitPartitionKey(key)
		if !ok || ordinal != p.Ordinal {
			return false
		}
		if string(table) != name {
			if list != nil {
				d.snap.Partitions[name] = list
			}
			name, list = string(table), nil
		}
		list = append(list, p)
		return true
	})
	if list != nil {
		d.snap.Partitions[name] = list
	}
	return err
}

func (d *decoder) dumps() error {
	return records(d, kv.Dumps, func(key []byte, dump *Dump) bool {
		d.snap.Dumps[dump.ID] = dump
		return string(key) == string(dumpKey(dump.ID))
	})
}

func (d *decoder) mapping() error {
	return records(d, kv.Mapping, func(key []byte, m *Mapping) bool {
		d.snap.Mapping = m
		return string(key) == mappingKey
	})
}

func (d *decoder) holds() error {
	err := records(d, kv.Holds, func(key []byte, h *Hold) bool {
		d.snap.Holds = append(d.snap.Holds, h.unstored())
		return bytes.Equal(key, holdKey(h.Table, h.Dump))
	})
	sortHolds(d.snap.Holds)
	return err
}

func sortHolds(holds []Hold) {
	slices.SortFunc(holds, func(a, b Hold) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Dump, b.Dump), cmp.Compare(a.Object, b.Object))
	})
}

func (d *decoder) publishes() error {
	err := records(d, kv.Publishes, func(key []byte, p *Publish) bool {
		d.snap.Publishes = append(d.snap.Publishes, p)
		return string(key) == p.Table
	})
	slices.SortFunc(d.snap.Publishes, func(a, b *Publish) int { return cmp.Compare(a.Table, b.Table) })
	return err
}

func (d *decoder) settings() error {
	for _, e := range d.content.Entries[kv.Settings] {
		if string(e.Key) == manifestsKey {
			if err := d.mode.Unmarshal(e.Payload, &d.snap.Manifests); err != nil {
				return &kv.RecordError{Bucket: kv.Settings, Key: e.Key, Err: err}
			}
			continue
		}
		if string(e.Key) == waitingKey {
			if err := d.mode.Unmarshal(e.Payload, &d.snap.Waiting); err != nil {
				return &kv.RecordError{Bucket: kv.Settings, Key: e.Key, Err: err}
			}
			continue
		}
		fact, err := d.snap.addSetting(string(e.Key), e.Payload)
		switch {
		case err != nil:
			return &kv.RecordError{Bucket: kv.Settings, Key: e.Key, Err: err}
		case !fact:
			d.snap.Settings[string(e.Key)] = slices.Clone(e.Payload)
		}
	}
	return nil
}

// inline notes which small objects there are.
func (d *decoder) inline() error {
	for _, e := range d.content.Entries[kv.Inline] {
		d.snap.inline = append(d.snap.inline, e.Key)
	}
	return nil
}
