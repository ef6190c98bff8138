// Package statefile reads, proves and writes a state in the form of one bbolt file,
// wherever that file is: the state itself, a copy that only this process sees, or a
// checkpoint that was fetched.
//
// The structure of a file is proved before anything is believed (package boltfile);
// every value carries a checksum over its bucket, key and content, and every bucket a
// count and a digest. It never repairs a file, and keeps none open between two calls but
// those of a Private.
package statefile

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"reconcile/state"
	"reconcile/state/internal/boltfile"
	"reconcile/state/internal/kv"
)

// Format reads and proves what a state file holds. It may be used by several goroutines.
type Format struct {
	Place   string // of the state, for messages
	Program string // version of this program
	// Writes is the format of what is written, and the newest that is read; the zero
	// value stands for that of the program.
	Writes kv.Format
}

// Newest is the format of what is written, and the newest that is read.
func (s Format) Newest() kv.Format {
	if s.Writes == (kv.Format{}) {
		return kv.Current()
	}
	return s.Writes
}

// Meta says what a file is. Of a newer format only Format, Program and Needs can be relied on.
type Meta struct {
	Format  uint32              `cbor:"1,keyasint"`
	Program string              `cbor:"2,keyasint"`
	Lineage string              `cbor:"3,keyasint"`
	Serial  uint64              `cbor:"4,keyasint"`
	Tallies map[string]kv.Tally `cbor:"5,keyasint"` // by bucket name
	// Slot and Record are, in a copy of a state of an object store, the serial and the
	// digest of the record of its log that this is the content after.
	Slot   uint64 `cbor:"10,keyasint,omitempty"`
	Record []byte `cbor:"11,keyasint,omitempty"`
	// Generation is that of the lease under which the record was made.
	Generation uint64 `cbor:"12,keyasint,omitempty"`
	// Needs is the first version of the program that reads the format; empty where every
	// one does.
	Needs string `cbor:"13,keyasint,omitempty"`
}

// metaKey is the one key of kv.Meta.
const metaKey = "state"

// clone returns a copy that shares nothing with m.
func (m Meta) clone() Meta {
	m.Tallies, m.Record = maps.Clone(m.Tallies), slices.Clone(m.Record)
	return m
}

// Follow makes m the record of the state after a transaction, which a program made.
func (s Format) Follow(m *Meta, c *kv.Changes, program string) {
	newest := s.Newest()
	m.Serial, m.Lineage, m.Program, m.Format, m.Needs = c.Serial, c.Lineage, program, newest.Number, newest.Program
	m.Generation = max(m.Generation, c.Generation)
}

// View calls fn with the content of a file. fn copies what it wants to keep. What is
// wrong with the structure of the file becomes an error that names it and what to do.
func (s Format) View(f *os.File, fn func(*boltfile.View) error) error {
	return s.damaged(boltfile.Read(f, fn))
}

// damaged turns what boltfile found into the error that names the file and what
// to do, and leaves other errors alone.
func (s Format) damaged(err error) error {
	if errors.Is(err, boltfile.ErrCorrupt) {
		return s.damage("%v", err)
	}
	return err
}

func (s Format) damage(format string, args ...any) error {
	return &state.DamagedError{Path: s.Place, Reason: fmt.Sprintf(format, args...)}
}

func (s Format) damagedRecord(b kv.Bucket, key []byte, err error) error {
	return s.damage("%v", &kv.RecordError{Bucket: b, Key: key, Err: err})
}

// ReadMeta returns the meta record of a view, checked on its own only.
func (s Format) ReadMeta(v *boltfile.View) (Meta, error) {
	value, err := v.Get(kv.Meta.String(), []byte(metaKey))
	if err != nil {
		return Meta{}, err
	}
	if value == nil {
		return Meta{}, s.damage("it says nowhere what it is")
	}
	payload, _, err := kv.Unseal(kv.Meta, []byte(metaKey), value)
	if err != nil {
		return Meta{}, s.damagedRecord(kv.Meta, []byte(metaKey), err)
	}
	return s.decodeMeta(payload)
}

func (s Format) decodeMeta(payload []byte) (Meta, error) {
	mode, err := kv.DecMode()
	if err != nil {
		return Meta{}, err
	}
	var head struct {
		Format  uint32 `cbor:"1,keyasint"`
		Program string `cbor:"2,keyasint"`
		Needs   string `cbor:"13,keyasint"`
	}
	if err := mode.Unmarshal(payload, &head); err != nil {
		return Meta{}, s.damagedRecord(kv.Meta, []byte(metaKey), err)
	}
	if newest := s.Newest(); head.Format > newest.Number {
		return Meta{}, &state.VersionError{Path: s.Place, Found: head.Format, Supported: newest.Number,
			Writer: head.Program, Needs: head.Needs, Reader: s.Program}
	}
	var m Meta
	if err := mode.Unmarshal(payload, &m); err != nil {
		return Meta{}, s.damagedRecord(kv.Meta, []byte(metaKey), err)
	}
	return m, nil
}
