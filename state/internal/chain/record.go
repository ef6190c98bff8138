package chain

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/zeebo/xxh3"
)

// Digest is a SHA-256 digest.
type Digest [sha256.Size]byte

// String is the digest in hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Position is a place in a chain: a record by its serial and the digest of its
// bytes. The zero Position is before the first record.
type Position struct {
	Serial uint64
	Digest Digest
}

func (p Position) String() string { return fmt.Sprintf("%d-%s", p.Serial, p.Digest) }

// Ref names an object.
type Ref struct {
	Name   string // below objects/
	Size   int64
	Digest Digest
}

// Record is one entry of a log.
type Record struct {
	Serial     uint64
	Prev       Digest // of the record before, zero in the first
	Lineage    string // of the state
	Generation uint64 // of the lease under which it was made
	Nonce      string // Append gives one if it is empty
	Time       time.Time
	Program    string // with its version
	Format     uint32 // of the state after it; encoding makes 0 the first one
	Needs      string // the first version of the program that reads it; empty where every one does
	Command    string
	Host       string
	Plan       string // digest of the plan that was applied, empty if none
	Payload    []byte
	// Spilled names the object that holds the payload of a record that would be
	// too large with it. Payload is then empty in what is read: see Chain.Payload.
	Spilled *Ref
	// Successor is set in the last record of a state that moved: where it is.
	Successor string
	// Stub says that the content was taken early and only the slot is kept. Its
	// digest is that of the record that it replaces.
	Stub bool

	digest Digest
}

// Digest is the digest of the bytes of a record that was read or appended, of a
// stub that of the record which it stands for.
func (r *Record) Digest() Digest { return r.digest }

// Position is where the record stands.
func (r *Record) Position() Position { return Position{r.Serial, r.digest} }

// recordFields are a record as it is stored. Fields are added, never renumbered.
type recordFields struct {
	Serial     uint64 `cbor:"1,keyasint"`
	Prev       []byte `cbor:"2,keyasint,omitempty"`
	Lineage    string `cbor:"3,keyasint"`
	Generation uint64 `cbor:"4,keyasint"`
	Nonce      string `cbor:"5,keyasint,omitempty"`
	Time       int64  `cbor:"6,keyasint,omitempty"` // Unix, ns
	Program    string `cbor:"7,keyasint,omitempty"`
	Command    string `cbor:"8,keyasint,omitempty"`
	Host       string `cbor:"9,keyasint,omitempty"`
	Plan       string `cbor:"10,keyasint,omitempty"`
	Payload    []byte `cbor:"11,keyasint,omitempty"`
	Object     string `cbor:"12,keyasint,omitempty"`
	Size       int64  `cbor:"13,keyasint,omitempty"`
	Digest     []byte `cbor:"14,keyasint,omitempty"`
	Successor  string `cbor:"15,keyasint,omitempty"`
	StubOf     []byte `cbor:"16,keyasint,omitempty"`
	Needs      string `cbor:"17,keyasint,omitempty"`
}

// A record is a magic, the format of the state after it, a checksum over format and
// payload, and the payload. This frame is the same in all formats, and so are the numbers of
// the fields: a newer record is told from a damaged one, and says what it needs.
const (
	magic   = "rcLG"
	version = 1 // the first format
	sumAt   = len(magic) + 1
	bodyAt  = sumAt + 8
	// maxRecord is what a record may have in bytes.
	maxRecord = 1 << 20
)

func frameSum(v byte, body []byte) uint64 { return xxh3.HashSeed(body, uint64(v)) }

// encode returns the bytes of a record, the same ones whenever it is the same, and
// gives it their digest.
func encode(r *Record) ([]byte, error) {
	r.Format = max(r.Format, version)
	f := recordFields{Serial: r.Serial, Prev: optional(r.Prev), Lineage: r.Lineage, Generation: r.Generation, Nonce: r.Nonce,
		Program: r.Program, Command: r.Command, Host: r.Host, Plan: r.Plan, Payload: r.Payload, Successor: r.Successor, Needs: r.Needs}
	if !r.Time.IsZero() {
		f.Time = r.Time.UnixNano()
	}
	if r.Spilled != nil {
		f.Object, f.Size, f.Digest, f.Payload = r.Spilled.Name, r.Spilled.Size, r.Spilled.Digest[:], nil
	}
	if r.Stub {
		f.StubOf = r.digest[:]
	}
	mode, err := cbor.EncOptions{Sort: cbor.SortBytewiseLexical}.EncMode()
	if err != nil {
		return nil, err
	}
	body, err := mode.Marshal(f)
	if err != nil {
		return nil, err
	}
	format := byte(r.Format)
	data := binary.LittleEndian.AppendUint64(append([]byte(magic), format), frameSum(format, body))
	data = append(data, body...)
	if !r.Stub {
		r.digest = sha256.Sum256(data)
	}
	return data, nil
}

func optional(d Digest) []byte {
	if d == (Digest{}) {
		return nil
	}
	return d[:]
}

// newerVersion is a record of a format that this program does not read.
type newerVersion struct {
	found          int
	program, needs string // what the record says
}

func (v newerVersion) Error() string { return fmt.Sprintf("format %d", v.found) }

// newer is what a record of a newer format says, as far as it does.
func newer(data []byte) newerVersion {
	v := newerVersion{found: int(data[len(magic)])}
	var f struct {
		Program string `cbor:"7,keyasint"`
		Needs   string `cbor:"17,keyasint"`
	}
	if cbor.Unmarshal(data[bodyAt:], &f) == nil {
		v.program, v.needs = f.Program, f.Needs
	}
	return v
}

// decode is the inverse of encode, of records up to a format.
func decode(data []byte, newest uint32) (*Record, error) {
	switch {
	case len(data) < bodyAt:
		return nil, errors.New("it is cut")
	case string(data[:len(magic)]) != magic:
		return nil, errors.New("it is no record")
	case binary.LittleEndian.Uint64(data[sumAt:]) != frameSum(data[len(magic)], data[bodyAt:]):
		return nil, errors.New("its checksum is wrong")
	case uint32(data[len(magic)]) > max(newest, version):
		return nil, newer(data)
	case data[len(magic)] < version:
		return nil, fmt.Errorf("it has version %d, which was never written", data[len(magic)])
	}
	mode, err := cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid}.DecMode()
	if err != nil {
		return nil, err
	}
	var f recordFields
	if err := mode.Unmarshal(data[bodyAt:], &f); err != nil {
		return nil, err
	}
	return f.record(data)
}

func (f *recordFields) record(data []byte) (*Record, error) {
	r := &Record{Serial: f.Serial, Lineage: f.Lineage, Generation: f.Generation, Nonce: f.Nonce, Program: f.Program,
		Command: f.Command, Host: f.Host, Plan: f.Plan, Payload: f.Payload, Successor: f.Successor, Stub: len(f.StubOf) > 0,
		Format: uint32(data[len(magic)]), Needs: f.Needs}
	r.digest = sha256.Sum256(data)
	if f.Time != 0 {
		r.Time = time.Unix(0, f.Time).UTC()
	}
	if f.Object != "" {
		r.Spilled = &Ref{Name: f.Object, Size: f.Size}
	}
	for _, d := range []struct {
		from []byte
		to   *Digest
		used bool
	}{{f.Prev, &r.Prev, true}, {f.StubOf, &r.digest, true}, {f.Digest, spilledDigest(r), r.Spilled != nil}} {
		if !d.used || len(d.from) == 0 {
			continue
		}
		if len(d.from) != sha256.Size {
			return nil, fmt.Errorf("one of its digests has %d bytes", len(d.from))
		}
		copy(d.to[:], d.from)
	}
	if r.Serial == 0 {
		return nil, errors.New("it has no serial")
	}
	return r, nil
}

func spilledDigest(r *Record) *Digest {
	if r.Spilled == nil {
		return nil
	}
	return &r.Spilled.Digest
}

// stub is a record without its content.
func (r *Record) stub() *Record {
	return &Record{Serial: r.Serial, Prev: r.Prev, Lineage: r.Lineage, Generation: r.Generation, Time: r.Time, Successor: r.Successor,
		Format: r.Format, Needs: r.Needs, Stub: true, digest: r.digest}
}
