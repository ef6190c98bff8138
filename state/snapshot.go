package state

import (
	"encoding/hex"
	"io"
	"iter"
	"maps"
	"slices"
)

// Snapshot is the whole content of the state at one transaction. Its maps are
// never nil. It belongs to the caller, who may change it; nothing that he
// changes is stored. One who got it from somebody else changes a Fork. Its objects stay
// until Close.
type Snapshot struct {
	Lineage string // 32 hex digits, made at the first write; empty when there is no state
	Serial  uint64 // number of transactions so far; 0 when there is no state
	Program string // version that wrote last
	// Raise is what the next transaction does to the format; nil if it stays.
	Raise *Raise

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

	inline  [][]byte  // digests of the small objects that are stored
	readers io.Closer // keeps the collector away; nil when nothing does
}

// CloseWith has Close close what keeps the collector away, if it is not nil.
func (s *Snapshot) CloseWith(readers io.Closer) { s.readers = readers }

// Fork returns a view of the same state for one who changes some tables in it: their
// records, partitions, publish lists and lost commits are copies, and so are all maps that
// these are in. Everything else is shared with s, which alone has to be closed.
func (s *Snapshot) Fork(tables []string) *Snapshot {
	out := *s
	out.readers = nil
	out.Tables, out.Partitions, out.Lost = maps.Clone(s.Tables), maps.Clone(s.Partitions), maps.Clone(s.Lost)
	out.Publishes = slices.Clone(s.Publishes)
	for _, name := range tables {
		if t := s.Tables[name]; t != nil {
			c := *t
			c.Sinks = slices.Clone(t.Sinks)
			out.Tables[name] = &c
		}
		if parts := s.Partitions[name]; parts != nil {
			own := make([]*Partition, len(parts))
			for i, p := range parts {
				own[i] = p.Fork()
			}
			out.Partitions[name] = own
		}
		if lost := s.Lost[name]; lost != nil {
			out.Lost[name] = lost.Fork()
		}
	}
	for i, p := range s.Publishes {
		if slices.Contains(tables, p.Table) {
			c := *p
			c.Steps = slices.Clone(p.Steps)
			out.Publishes[i] = &c
		}
	}
	return &out
}

// Fork returns a copy that has its own list of files.
func (p *Partition) Fork() *Partition {
	out := *p
	out.Files = slices.Clone(p.Files)
	return &out
}

// Fork returns a copy that has its own list of removals.
func (l *LostCommit) Fork() *LostCommit {
	out := *l
	out.Left = slices.Clone(l.Left)
	return &out
}

// Inline returns the digests of the objects that lie inside the state.
func (s *Snapshot) Inline() map[string]bool {
	digests := make(map[string]bool, len(s.inline))
	for _, sum := range s.inline {
		digests[hex.EncodeToString(sum)] = true
	}
	return digests
}

// InlineBut returns the digests of the objects that lie inside the state and that keep
// denies.
func (s *Snapshot) InlineBut(keep func(digest string) bool) [][]byte {
	return slices.DeleteFunc(slices.Clone(s.inline), func(sum []byte) bool { return keep(hex.EncodeToString(sum)) })
}

// Close lets the collector remove objects that the snapshot names. It may be
// called more than once, and of a nil Snapshot.
func (s *Snapshot) Close() error {
	if s == nil || s.readers == nil {
		return nil
	}
	err := s.readers.Close()
	s.readers = nil
	return err
}

// Refs yields every object that the snapshot names, some more than once. They
// are what a collection has to keep.
func (s *Snapshot) Refs() iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		each := func(r Ref) bool { return r.IsZero() || yield(r) }
		all := func(refs []Ref) bool { return !slices.ContainsFunc(refs, func(r Ref) bool { return !each(r) }) }
		if !all(s.Mapping.refs()) || !each(s.Manifests) {
			return
		}
		for _, t := range s.Tables {
			if !all(t.refs()) {
				return
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

// refs are the objects that the record of a table names, and some zero ones.
func (t *Table) refs() []Ref {
	out := slices.Concat([]Ref{t.Mapping}, t.KeptUsers(), t.Index)
	for _, q := range t.Quarantine {
		out = append(out, q.Ref)
	}
	return out
}

// refs are the objects that a mapping names, and some zero ones. No mapping names none.
func (m *Mapping) refs() []Ref {
	if m == nil {
		return nil
	}
	return []Ref{m.Ref, m.Quarantine}
}
