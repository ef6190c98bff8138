// Package kv is a state as keys and values: the buckets that there are, values that
// carry a checksum, the tally of a bucket, and a transaction as what it changes. The
// bytes of all these are the format of the state, in a file and in a log.
//
// What a key or a value means is for package state, and where they lie for its
// backends.
package kv

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"github.com/zeebo/xxh3"
)

// FormatVersion is the format of a state as a whole: what buckets there are
// and what their keys and records mean. It is raised when an older program
// would misread it, not when a record gets one more field.
const FormatVersion = 1

// Format is one of the formats that states had, have, or will have.
type Format struct {
	Number  uint32
	Program string // the first version of the program that reads it; empty where every one does
}

// Current is the format of what this program writes. It reads that and all before.
func Current() Format { return Format{Number: FormatVersion} }

// A value is the framing byte, 8 bytes of checksum, then the payload.
const (
	framing    = 1
	valueStart = 9
)

// Bucket is one kind of record.
type Bucket int

// The buckets. The number of each is part of the checksums of its values.
const (
	Tables      Bucket = iota // delivered name -> Table
	Partitions                // name and ordinal -> Partition
	Dumps                     // id -> Dump
	Mapping                   // one key -> Mapping
	Holds                     // table, NUL, dump -> Hold
	Publishes                 // table -> Publish
	Settings                  // any key -> bytes
	Inline                    // SHA-256 -> the bytes of a small object
	BucketCount               // how many there are, but for Meta

	// Meta holds the meta record, and is not counted in it.
	Meta = BucketCount
)

// String returns the name that the bucket has in a file.
func (b Bucket) String() string {
	return [...]string{"tables", "partitions", "dumps", "mapping", "holds", "publishes", "settings", "inline", "meta"}[b]
}

// BucketByName is the inverse of String.
func BucketByName(name string) (Bucket, bool) {
	for b := range Meta + 1 {
		if b.String() == name {
			return b, true
		}
	}
	return 0, false
}

// checksum is over all that a value is: bucket, key and payload.
func checksum(b Bucket, key, payload []byte) uint64 {
	return xxh3.HashSeed(payload, xxh3.HashSeed(key, uint64(b)+1))
}

// Seal frames a payload.
func Seal(b Bucket, key, payload []byte) []byte {
	v := make([]byte, valueStart, valueStart+len(payload))
	v[0] = framing
	binary.LittleEndian.PutUint64(v[1:], checksum(b, key, payload))
	return append(v, payload...)
}

// StoredSum returns the checksum that a value carries.
func StoredSum(value []byte) (uint64, error) {
	if len(value) < valueStart {
		return 0, errors.New("its value is cut")
	}
	if value[0] != framing {
		return 0, fmt.Errorf("its value begins with %#x, not %#x", value[0], framing)
	}
	return binary.LittleEndian.Uint64(value[1:]), nil
}

// Unseal returns the payload of a value whose checksum is right, and that. The payload
// shares the memory of the value.
func Unseal(b Bucket, key, value []byte) ([]byte, uint64, error) {
	sum, err := StoredSum(value)
	if err != nil {
		return nil, 0, err
	}
	payload := value[valueStart:]
	if checksum(b, key, payload) != sum {
		return nil, 0, errors.New("its checksum is wrong")
	}
	return payload, sum, nil
}

// Tally is the count and digest of a bucket. The digest is the sum, modulo
// 2^64, of a hash of each key and the checksum that its value carries: the order
// does not matter, and of a value that is not read, its key still counts.
type Tally struct {
	Count  uint64 `cbor:"1,keyasint"`
	Digest uint64 `cbor:"2,keyasint"`
}

// Add counts a key whose value carries a checksum.
func (t *Tally) Add(key []byte, sum uint64) { t.Count++; t.Digest += xxh3.HashSeed(key, sum) }

// Remove takes Add back.
func (t *Tally) Remove(key []byte, sum uint64) { t.Count--; t.Digest -= xxh3.HashSeed(key, sum) }

// Entry is one key with its checked payload. Of a small object, which is read
// when it is wanted and then checked by its digest, the payload is left out.
type Entry struct {
	Key     []byte
	Payload []byte
}

// Content is all that a state holds at one transaction, proved to be what was written.
// Whoever has it may keep the slices, and nobody changes their bytes.
type Content struct {
	Lineage string
	Serial  uint64
	Program string // version that wrote last
	Entries [BucketCount][]Entry
}

// RecordError says what is wrong with one record.
type RecordError struct {
	Bucket Bucket
	Key    []byte
	Err    error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("record %q of %s: %v", e.Key, e.Bucket, e.Err)
}

func (e *RecordError) Unwrap() error { return e.Err }

// DecMode accepts what Encode writes, of any length: names can be any bytes
// and lists can be long.
func DecMode() (cbor.DecMode, error) {
	const unlimited = 1<<31 - 1
	return cbor.DecOptions{
		MaxArrayElements: unlimited,
		MaxMapPairs:      unlimited,
		UTF8:             cbor.UTF8DecodeInvalid,
	}.DecMode()
}

// Encode makes the bytes of a record the same whenever it is the same.
func Encode(record any) ([]byte, error) {
	mode, err := cbor.EncOptions{Sort: cbor.SortBytewiseLexical}.EncMode()
	if err != nil {
		return nil, err
	}
	return mode.Marshal(record)
}
