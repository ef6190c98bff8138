package state

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"slices"

	"github.com/fxamacker/cbor/v2"
	"golang.org/x/sys/unix"

	"reconcile/state/internal/boltfile"
)

// Snapshot is the whole content of the state at one transaction. Its maps are
// never nil. It belongs to the caller, who may change it; nothing that he
// changes is stored. Its objects stay until Close.
type Snapshot struct {
	Lineage string // 32 hex digits, made at the first write; empty when there is no state
	Serial  uint64 // number of transactions so far; 0 when there is no state
	Program string // version that wrote last

	Tables     map[string]*Table
	Partitions map[string][]*Partition // by table, in order of the ordinals
	Dumps      map[int64]*Dump
	Mapping    *Mapping          // nil when none was read yet
	Holds      []Hold            // in order of the tables and dumps
	Publishes  []*Publish        // in order of the tables
	Settings   map[string][]byte // that are no Facts
	Facts
	Manifests Ref // the manifests as they were read last, zero for none

	// Notices tell of damage of the state that does no harm.
	Notices []string

	inline  [][]byte // digests of the small objects that are stored
	readers *os.File // keeps the collector away; nil when nothing does
}

// Close lets the collector remove objects that the snapshot names. It may be
// called more than once, and of a nil Snapshot.
func (s *Snapshot) Close() error {
	if s == nil || s.readers == nil {
		return nil
	}
	err := release(s.readers)
	s.readers = nil
	return err
}

// Refs yields every object that the snapshot names, some more than once. They
// are what a collection has to keep.
func (s *Snapshot) Refs() iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		each := func(r Ref) bool { return r.IsZero() || yield(r) }
		if s.Mapping != nil && (!each(s.Mapping.Ref) || !each(s.Mapping.Quarantine)) {
			return
		}
		if !each(s.Manifests) {
			return
		}
		for _, t := range s.Tables {
			if !each(t.Mapping) {
				return
			}
			for _, r := range t.KeptUsers() {
				if !each(r) {
					return
				}
			}
			for _, r := range t.Index {
				if !each(r) {
					return
				}
			}
			for _, q := range t.Quarantine {
				if !each(q.Ref) {
					return
				}
			}
		}
		for _, ps := range s.Partitions {
			for _, p := range ps {
				if !each(p.Shadow) {
					return
				}
			}
		}
	}
}

// Load returns the whole state, verified: the content of the newest
// transaction, an error that matches ErrDamaged or ErrNewer, or that of the
// I/O. A file that does not exist gives an empty Snapshot. It waits for no
// apply, only for a transaction at its very commit.
//
// Until the Snapshot is closed its objects are not collected.
func (s *local) Load(ctx context.Context) (*Snapshot, error) {
	readers, err := s.holdReaders(ctx)
	if err != nil {
		return nil, err
	}
	snap, err := s.load(ctx)
	if err != nil {
		if readers != nil {
			err = errors.Join(err, release(readers))
		}
		return nil, err
	}
	snap.readers = readers
	return snap, nil
}

// holdReaders takes the lock that keeps the collector away. The file is made by
// the first writer: a reader makes nothing.
func (s *local) holdReaders(ctx context.Context) (*os.File, error) {
	f, err := os.Open(s.readersPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if err := flock(ctx, f, unix.LOCK_SH, s.opts.ReadTimeout); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// raw is what is taken out of the file while it is locked.
type raw struct {
	meta    metaRecord
	entries [bucketCount][]entry
}

func (s *local) load(ctx context.Context) (*Snapshot, error) {
	var r raw
	exists, err := s.view(ctx, func(v *boltfile.View) error { return s.read(v, &r) })
	if err != nil {
		return nil, err
	}
	if !exists {
		r = raw{}
	}
	return s.decode(&r)
}

// read takes everything that a file holds, verified, out of it.
func (s format) read(v *boltfile.View, r *raw) error {
	meta, err := s.readMeta(v)
	if err != nil {
		return err
	}
	c := collector{raw: r}
	c.expect(meta)
	r.meta, err = s.verify(v, c.keep)
	return err
}

// collector copies entries out of the mapping, many into one allocation.
type collector struct {
	raw   *raw
	arena []byte
}

// expect makes room for as many entries as the file says it has, within reason.
func (c *collector) expect(meta metaRecord) {
	for b := range c.raw.entries {
		c.raw.entries[b] = make([]entry, 0, min(meta.Tallies[bucket(b).String()].Count, 1<<20))
	}
}

func (c *collector) keep(b bucket, e entry) {
	c.raw.entries[b] = append(c.raw.entries[b], entry{key: c.copy(e.key), payload: c.copy(e.payload)})
}

func (c *collector) copy(b []byte) []byte {
	if len(b) > cap(c.arena)-len(c.arena) {
		c.arena = make([]byte, 0, max(len(b), 256<<10))
	}
	at := len(c.arena)
	c.arena = append(c.arena, b...)
	return c.arena[at:len(c.arena):len(c.arena)]
}

func (s format) decode(r *raw) (*Snapshot, error) {
	mode, err := decMode()
	if err != nil {
		return nil, err
	}
	d := &decoder{format: s, raw: r, mode: mode, snap: &Snapshot{
		Lineage: r.meta.Lineage, Serial: r.meta.Serial, Program: r.meta.Program,
		Tables:     make(map[string]*Table, len(r.entries[bTables])),
		Partitions: make(map[string][]*Partition, len(r.entries[bTables])),
		Dumps:      make(map[int64]*Dump, len(r.entries[bDumps])),
		Settings:   map[string][]byte{}, Facts: newFacts(),
	}}
	for _, step := range []func() error{d.tables, d.partitions, d.dumps, d.mapping, d.holds, d.publishes, d.settings, d.inline} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return d.snap, nil
}

// decoder turns raw entries into records. That a record stands under its own
// key is checked too: the snapshot is sorted by what the records say.
type decoder struct {
	format format
	raw    *raw
	mode   cbor.DecMode
	snap   *Snapshot
}

// records decodes the entries of a bucket into one allocation.
func records[T any](d *decoder, b bucket, use func(key []byte, record *T) bool) error {
	return recordsBy(d, b, func(payload []byte, record *T) error { return d.mode.Unmarshal(payload, record) }, use)
}

func recordsBy[T any](d *decoder, b bucket, read func(payload []byte, record *T) error, use func(key []byte, record *T) bool) error {
	all := make([]T, len(d.raw.entries[b]))
	for i, e := range d.raw.entries[b] {
		if err := read(e.payload, &all[i]); err != nil {
			return d.format.damagedRecord(b, e.key, err)
		}
		if !use(e.key, &all[i]) {
			return d.format.damagedRecord(b, e.key, errors.New("it stands under another key than its own"))
		}
	}
	return nil
}

func (d *decoder) tables() error {
	read := func(payload []byte, t *Table) error { return readTable(d.mode, payload, t) }
	return recordsBy(d, bTables, read, func(key []byte, t *Table) bool {
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
	err := recordsBy(d, bPartitions, read, func(key []byte, p *Partition) bool {
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
	return records(d, bDumps, func(key []byte, dump *Dump) bool {
		d.snap.Dumps[dump.ID] = dump
		return string(key) == string(dumpKey(dump.ID))
	})
}

func (d *decoder) mapping() error {
	return records(d, bMapping, func(key []byte, m *Mapping) bool {
		d.snap.Mapping = m
		return string(key) == mappingKey
	})
}

func (d *decoder) holds() error {
	err := records(d, bHolds, func(key []byte, h *Hold) bool {
		d.snap.Holds = append(d.snap.Holds, h.unstored())
		return bytes.Equal(key, holdKey(h.Table, h.Dump))
	})
	slices.SortFunc(d.snap.Holds, func(a, b Hold) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Dump, b.Dump))
	})
	return err
}

func (d *decoder) publishes() error {
	err := records(d, bPublishes, func(key []byte, p *Publish) bool {
		d.snap.Publishes = append(d.snap.Publishes, p)
		return string(key) == p.Table
	})
	slices.SortFunc(d.snap.Publishes, func(a, b *Publish) int { return cmp.Compare(a.Table, b.Table) })
	return err
}

func (d *decoder) settings() error {
	for _, e := range d.raw.entries[bSettings] {
		if string(e.key) == manifestsKey {
			if err := d.mode.Unmarshal(e.payload, &d.snap.Manifests); err != nil {
				return d.format.damagedRecord(bSettings, e.key, err)
			}
			continue
		}
		fact, err := d.snap.take(string(e.key), e.payload)
		switch {
		case err != nil:
			return d.format.damagedRecord(bSettings, e.key, err)
		case !fact:
			d.snap.Settings[string(e.key)] = slices.Clone(e.payload)
		}
	}
	return nil
}

// inline notes which small objects there are.
func (d *decoder) inline() error {
	for _, e := range d.raw.entries[bInline] {
		d.snap.inline = append(d.snap.inline, e.key)
	}
	return nil
}
