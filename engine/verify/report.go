package verify

import (
	"slices"
	"strings"
	"sync"
)

// Report is what was found.
type Report struct {
	Sample Sample
	Tables []*Table
}

// Differs reports whether something is not as it should be.
func (r *Report) Differs() bool {
	for _, t := range r.Tables {
		for _, s := range t.Sinks {
			if s.Differences > 0 || len(s.Faults) > 0 {
				return true
			}
		}
	}
	return false
}

// Unverified reports whether some table could not be looked at.
func (r *Report) Unverified() bool {
	for _, t := range r.Tables {
		if t.Unverified != "" {
			return true
		}
	}
	return false
}

// Table is what was found of one table.
type Table struct {
	Name    string
	Commit  uint64
	Dumps   int    // that are live
	Mapping *int64 // the dump whose mapping it stands at, nil for none
	// Unverified says why the table was not looked at; empty if it was.
	Unverified string
	Rows       int64  // that the sample should have
	Read       int64  // delivered rows of the sample
	Gone       []Gone // what the source lacks
	// MappingGone says why the entries of the mapping are those of the state, and not the
	// source's; empty if they are the source's.
	MappingGone string
	// Uncompared are columns that were not compared, and why.
	Uncompared map[string]string
	Sinks      []*Sink
}

func (t *Table) gone(dump int64, file, why string) {
	t.Gone = append(t.Gone, Gone{Dump: dump, File: file, Reason: why})
}

// Gone is a dump that the table has and that cannot be read any more, or a part file of it.
type Gone struct {
	Dump   int64
	File   string // empty for the whole dump
	Reason string
}

// Sink is what was found of a table in one sink.
type Sink struct {
	Root        string
	Rows        int64 // of the sample, that are there
	Differences int64
	Unchecked   int64 // rows that may be of what the source lacks
	Keys        []Difference
	Faults      []Fault

	mu sync.Mutex // of those who read data files side by side
}

// Fault is a data file that is not as the state knows it.
type Fault struct {
	Path string
	What string
}

// The kinds of differences.
const (
	Missing   = "missing"   // a row is not there
	Extra     = "extra"     // a row is there that should not be
	Doubled   = "doubled"   // a row is there more than once
	Different = "different" // a row has other values
)

// Difference is a row that is not as it should be. Key is nil for tables that have none
// beside the user.
type Difference struct {
	Kind    string
	Key     *int64
	User    int64
	RawUser *int64
	Dump    *int64 // of the row as it should be, of one that should not be there as it is
	Columns []Value
}

// Value is a column in which a row differs, as it is published. Nil is null.
type Value struct {
	Column      string
	Want, Found *string
}

// mostKeys is how many differences of a table in a sink are told; the others are counted.
const mostKeys = 10

// add counts a difference, and keeps it if there is room.
func (s *Sink) add(d Difference) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Differences++
	if len(s.Keys) < mostKeys {
		s.Keys = append(s.Keys, d)
	}
}

// count counts rows that are there.
func (s *Sink) count(rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Rows += int64(rows)
}

// fault adds a data file that is not as the state knows it, in the order of their paths.
func (s *Sink) fault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Faults = append(s.Faults, f)
	slices.SortStableFunc(s.Faults, func(a, b Fault) int { return strings.Compare(a.Path, b.Path) })
}
